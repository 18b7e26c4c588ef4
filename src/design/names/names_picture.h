/* Declarations that the parts of the picture share. */
#ifndef TRANSHUME_DESIGN_NAMES_NAMES_PICTURE_H
#define TRANSHUME_DESIGN_NAMES_NAMES_PICTURE_H

#include "base/buffer.h"
#include "base/error.h"
#include <cairo.h>

enum { NAMES_TEXT_BYTES = 256 };

/* In the colour of its cluster. */
void names_draw_point(cairo_t *cairo, uint32_t cluster, double x, double y, double radius);

/* Texts of any bytes, clipped to `characters_max`, in a font that has their letters. */
double names_text_width(cairo_t *cairo, const char *text, uint32_t characters_max, double size);
/* `x` is where it begins, `y` its middle. */
void names_draw_text(cairo_t *cairo, const char *text, uint32_t characters_max, double size,
                     double x, double y);

/* The surface as a PNG that says its 150 dots per inch. */
enum status names_encode_png(cairo_surface_t *surface, struct buffer *png,
                             struct error *error) MUST_USE;

#endif
