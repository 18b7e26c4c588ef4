/*
 * Points, texts and the PNG.
 *
 * cairo writes no pHYs chunk; it goes behind IHDR, which is the first and has 25 bytes:
 *   8 bytes signature, IHDR, [length 9, "pHYs", pixels a metre twice as 4 bytes, 1 = metre, CRC], …
 */
#include "design/names/names_picture.h"

#include "base/text.h"
#include <cairo-ft.h>
#include <fontconfig/fontconfig.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum { COLORS = 20, SHAPES = 4, HEAD_BYTES = 8 + 25, DOTS_A_METRE = 5906 };

static const char font[] = "DejaVu Sans";
static const uint32_t tab20[COLORS] = {0x1f77b4, 0xaec7e8, 0xff7f0e, 0xffbb78, 0x2ca02c,
                                       0x98df8a, 0xd62728, 0xff9896, 0x9467bd, 0xc5b0d5,
                                       0x8c564b, 0xc49c94, 0xe377c2, 0xf7b6d2, 0x7f7f7f,
                                       0xc7c7c7, 0xbcbd22, 0xdbdb8d, 0x17becf, 0x9edae5};

/* ---------------------------------------------------------------- points */

/* The colour of a cluster: tab20's, again and again; the shape of its points differs then. */
static void names_set_color(cairo_t *cairo, uint32_t cluster)
{
    uint32_t color = cluster == UINT32_MAX ? 0xffffff : tab20[cluster % COLORS];
    cairo_set_source_rgb(cairo, (color >> 16) / 255.0, (color >> 8 & 255) / 255.0,
                         (color & 255) / 255.0);
}

static void polygon(cairo_t *cairo, double x, double y, double radius, int corners, double turn)
{
    for (int i = 0; i < corners; i++) {
        double angle = turn + i * 2 * M_PI / corners;
        cairo_line_to(cairo, x + radius * cos(angle), y + radius * sin(angle));
    }
    cairo_close_path(cairo);
}

void names_draw_point(cairo_t *cairo, uint32_t cluster, double x, double y, double radius)
{
    cairo_new_path(cairo);
    switch (cluster == UINT32_MAX ? 0 : cluster / COLORS % SHAPES) {
    case 1:
        polygon(cairo, x, y, radius * 1.2, 4, M_PI / 4);
        break;
    case 2:
        polygon(cairo, x, y, radius * 1.3, 3, -M_PI / 2);
        break;
    case 3:
        polygon(cairo, x, y, radius * 1.25, 4, 0);
        break;
    default:
        cairo_arc(cairo, x, y, radius, 0, 2 * M_PI);
        break;
    }
    names_set_color(cairo, cluster);
    cairo_fill_preserve(cairo);
    cairo_set_source_rgb(cairo, 0.25, 0.25, 0.25);
    cairo_set_line_width(cairo, 1);
    cairo_stroke(cairo);
}

/* ---------------------------------------------------------------- texts */

static void clip(const char *text, uint32_t characters_max, char out[NAMES_TEXT_BYTES])
{
    uint32_t characters = 0;
    text_printable(text, strlen(text), out, NAMES_TEXT_BYTES - 4);
    for (size_t at = 0; out[at] != '\0'; at++) {
        if (((unsigned char)out[at] & 0xC0) != 0x80 && ++characters > characters_max) {
            memcpy(out + at, "…", sizeof("…"));
            return;
        }
    }
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

static void add_characters(const char *text, FcCharSet *characters)
{
    int left = (int)strlen(text);
    while (left > 0) {
        FcChar32 character;
        int length = FcUtf8ToUcs4((const FcChar8 *)text, &character, left);
        if (length <= 0) {
            return;
        }
        FcCharSetAddChar(characters, character);
        text += length;
        left -= length;
    }
}

/* The installed font that has the most of the text's letters. */
static void choose_font(cairo_t *cairo, const char *text, double size)
{
    cairo_select_font_face(cairo, font, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    if (!is_ascii(text)) {
        FcPattern *pattern = FcPatternCreate();
        FcCharSet *characters = FcCharSetCreate();
        add_characters(text, characters);
        FcPatternAddString(pattern, FC_FAMILY, (const FcChar8 *)font);
        FcPatternAddCharSet(pattern, FC_CHARSET, characters);
        cairo_font_face_t *face = cairo_ft_font_face_create_for_pattern(pattern);
        if (cairo_font_face_status(face) == CAIRO_STATUS_SUCCESS) {
            cairo_set_font_face(cairo, face);
        }
        cairo_font_face_destroy(face);
        FcCharSetDestroy(characters);
        FcPatternDestroy(pattern);
    }
    cairo_set_font_size(cairo, size);
}

double names_text_width(cairo_t *cairo, const char *text, uint32_t characters_max, double size)
{
    char shown[NAMES_TEXT_BYTES];
    cairo_text_extents_t extents;
    clip(text, characters_max, shown);
    choose_font(cairo, shown, size);
    cairo_text_extents(cairo, shown, &extents);
    return extents.x_advance;
}

void names_draw_text(cairo_t *cairo, const char *text, uint32_t characters_max, double size,
                     double x, double y)
{
    char shown[NAMES_TEXT_BYTES];
    clip(text, characters_max, shown);
    choose_font(cairo, shown, size);
    cairo_move_to(cairo, x, y + size * 0.35);
    cairo_show_text(cairo, shown);
}

/* ---------------------------------------------------------------- PNG */

static cairo_status_t names_ink_take(void *png, const unsigned char *bytes, unsigned length)
{
    buffer_append(png, bytes, length);
    return CAIRO_STATUS_SUCCESS;
}

static void append_big_endian(struct buffer *out, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        buffer_append_byte(out, (char)(number >> shift & 255));
    }
}

static void append_density(struct buffer *out)
{
    struct buffer chunk = {0};
    buffer_append_string(&chunk, "pHYs");
    append_big_endian(&chunk, DOTS_A_METRE);
    append_big_endian(&chunk, DOTS_A_METRE);
    buffer_append_byte(&chunk, 1);
    append_big_endian(out, (uint32_t)chunk.length - 4);
    buffer_append_buffer(out, &chunk);
    append_big_endian(out, (uint32_t)crc32(0, (const Bytef *)chunk.data, (uInt)chunk.length));
    buffer_free(&chunk);
}

enum status names_encode_png(cairo_surface_t *surface, struct buffer *png, struct error *error)
{
    struct buffer bare = {0};
    cairo_status_t status = cairo_surface_write_to_png_stream(surface, names_ink_take, &bare);
    if (status != CAIRO_STATUS_SUCCESS || bare.length < HEAD_BYTES) {
        buffer_free(&bare);
        return error_set(error, ERROR_INTERNAL, "the picture of names", "cairo says: %s",
                         cairo_status_to_string(status));
    }
    buffer_append(png, bare.data, HEAD_BYTES);
    append_density(png);
    buffer_append(png, bare.data + HEAD_BYTES, bare.length - HEAD_BYTES);
    buffer_free(&bare);
    return STATUS_OK;
}
