/* The scatter: points in the plane, their labels, axes, and the clusters' legend at the right. */
#include "design/names/names_picture.h"

#include "base/memory.h"
#include "design/names/names.h"
#include "design/names/names_labels.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

enum {
    LABELS_MAX = 600, /* more nobody can read */
    LABEL_CHARACTERS = 40,
    LEGEND_CHARACTERS = 28,
    TICKS = 6
};
static const double label_size = 17; /* 8 points at 150 DPI */
static const double axis_size = 20;
static const double title_size = 27;
static const double line_height = 21;
static const double legend_row = 27;
static const double legend_width = 400;
static const double radius = 6;

struct picture {
    const struct names_clusters *clusters;
    const struct cluster_plane *plane;
    cairo_t *cairo;
    double width;
    double height;
    struct names_box area; /* the plot's */
    double least[2];       /* of the coordinates, with some room around */
    double most[2];
};

static uint32_t column_count(const struct picture *picture)
{
    return picture->clusters->names->count;
}

/* ---------------------------------------------------------------- the scale */

static void names_picture_measure(struct picture *picture)
{
    for (int axis = 0; axis < 2; axis++) {
        double least = DBL_MAX;
        double most = -DBL_MAX;
        for (uint32_t i = 0; i < column_count(picture); i++) {
            double value = picture->plane->coordinates[2 * (size_t)i + (size_t)axis];
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
        double room = most - least > 1e-9 ? (most - least) * 0.06 : 0.5;
        picture->least[axis] = least - room;
        picture->most[axis] = most + room;
    }
}

static double across(const struct picture *picture, double value)
{
    double part = (value - picture->least[0]) / (picture->most[0] - picture->least[0]);
    return picture->area.left + part * (picture->area.right - picture->area.left);
}

static double up(const struct picture *picture, double value)
{
    double part = (value - picture->least[1]) / (picture->most[1] - picture->least[1]);
    return picture->area.bottom - part * (picture->area.bottom - picture->area.top);
}

/* 1, 2 or 5 of a power of ten. */
static double tick_step(double range)
{
    double rough = range / TICKS;
    double power = pow(10, floor(log10(rough)));
    double digit = rough / power;
    return power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10);
}

/* ---------------------------------------------------------------- axes */

static void draw_line(const struct picture *picture, double x1, double y1, double x2, double y2)
{
    cairo_move_to(picture->cairo, x1, y1);
    cairo_line_to(picture->cairo, x2, y2);
    cairo_stroke(picture->cairo);
}

static void draw_tick(const struct picture *picture, int axis, double value, double step)
{
    cairo_t *cairo = picture->cairo;
    char text[32];
    int digits = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    snprintf(text, sizeof(text), "%.*f", digits, fabs(value) < step / 2 ? 0.0 : value);
    double size = names_text_width(cairo, text, LABEL_CHARACTERS, label_size);
    double x = axis == 0 ? across(picture, value) : picture->area.left;
    double y = axis == 0 ? picture->area.bottom : up(picture, value);
    cairo_set_source_rgb(cairo, 0.91, 0.91, 0.91);
    draw_line(picture, x, axis == 0 ? picture->area.top : y, axis == 0 ? x : picture->area.right,
              y);
    cairo_set_source_rgb(cairo, 0.3, 0.3, 0.3);
    draw_line(picture, x, y, axis == 0 ? x : x - 7, axis == 0 ? y + 7 : y);
    names_draw_text(cairo, text, LABEL_CHARACTERS, label_size,
                    axis == 0 ? x - size / 2 : x - 14 - size, axis == 0 ? y + 22 : y);
}

static void draw_axis(const struct picture *picture, int axis)
{
    cairo_t *cairo = picture->cairo;
    char text[64];
    double step = tick_step(picture->most[axis] - picture->least[axis]);
    cairo_set_line_width(cairo, 1.2);
    double first = ceil(picture->least[axis] / step);
    int ticks = (int)(floor(picture->most[axis] / step) - first) + 1;
    for (int i = 0; i < ticks; i++) {
        draw_tick(picture, axis, (first + i) * step, step);
    }
    snprintf(text, sizeof(text), "PC%d (%.1f %% variance)", axis + 1,
             picture->plane->ratio[axis] * 100);
    double size = names_text_width(cairo, text, LABEL_CHARACTERS, axis_size);
    cairo_set_source_rgb(cairo, 0.1, 0.1, 0.1);
    if (axis == 0) {
        names_draw_text(cairo, text, LABEL_CHARACTERS, axis_size,
                        (picture->area.left + picture->area.right - size) / 2,
                        picture->area.bottom + 62);
        return;
    }
    cairo_save(cairo);
    cairo_translate(cairo, 30, (picture->area.top + picture->area.bottom + size) / 2);
    cairo_rotate(cairo, -M_PI / 2);
    names_draw_text(cairo, text, LABEL_CHARACTERS, axis_size, 0, 0);
    cairo_restore(cairo);
}

static void draw_frame(const struct picture *picture)
{
    cairo_t *cairo = picture->cairo;
    char title[96];
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    snprintf(title, sizeof(title), "%u columns in %u clusters by the similarity of their names",
             column_count(picture), picture->clusters->count);
    cairo_set_source_rgb(cairo, 0.1, 0.1, 0.1);
    names_draw_text(cairo, title, sizeof(title), title_size, picture->area.left, 42);
    draw_axis(picture, 0);
    draw_axis(picture, 1);
    cairo_set_source_rgb(cairo, 0.3, 0.3, 0.3);
    cairo_set_line_width(cairo, 1.5);
    cairo_rectangle(cairo, picture->area.left, picture->area.top,
                    picture->area.right - picture->area.left,
                    picture->area.bottom - picture->area.top);
    cairo_stroke(cairo);
}

/* ---------------------------------------------------------------- the legend */

static void draw_entry(const struct picture *picture, uint32_t cluster, double y)
{
    double x = picture->area.right + 36;
    char count[32];
    uint32_t size = names_cluster_size(picture->clusters, cluster);
    const char *name = cluster == NAMES_NONE ? "in no cluster" : picture->clusters->list[cluster];
    names_draw_point(picture->cairo, cluster, x, y, radius + 2);
    cairo_set_source_rgb(picture->cairo, 0.1, 0.1, 0.1);
    double width = names_text_width(picture->cairo, name, LEGEND_CHARACTERS, label_size);
    names_draw_text(picture->cairo, name, LEGEND_CHARACTERS, label_size, x + 20, y);
    snprintf(count, sizeof(count), "(%u)", size);
    cairo_set_source_rgb(picture->cairo, 0.45, 0.45, 0.45);
    names_draw_text(picture->cairo, count, LEGEND_CHARACTERS, label_size, x + 28 + width, y);
}

static void draw_legend(const struct picture *picture)
{
    uint32_t count = picture->clusters->count;
    uint32_t alone = names_cluster_size(picture->clusters, NAMES_NONE) > 0;
    uint32_t rows = (uint32_t)((picture->area.bottom - picture->area.top - 40) / legend_row);
    uint32_t shown = count + alone <= rows ? count : rows - 1 - alone;
    double y = picture->area.top + 12;
    cairo_set_source_rgb(picture->cairo, 0.1, 0.1, 0.1);
    names_draw_text(picture->cairo, "Clusters", LEGEND_CHARACTERS, axis_size,
                    picture->area.right + 28, y);
    y += legend_row + 6;
    for (uint32_t i = 0; i < shown; i++) {
        draw_entry(picture, i, y);
        y += legend_row;
    }
    if (alone > 0) {
        draw_entry(picture, NAMES_NONE, y);
        y += legend_row;
    }
    if (shown < count) {
        char more[48];
        snprintf(more, sizeof(more), "and %u more", count - shown);
        cairo_set_source_rgb(picture->cairo, 0.45, 0.45, 0.45);
        names_draw_text(picture->cairo, more, LEGEND_CHARACTERS, label_size,
                        picture->area.right + 28, y);
    }
}

/* ---------------------------------------------------------------- points and labels */

static void draw_points(const struct picture *picture)
{
    for (uint32_t i = 0; i < column_count(picture); i++) {
        names_draw_point(picture->cairo, picture->clusters->of[i],
                         across(picture, picture->plane->coordinates[2 * (size_t)i]),
                         up(picture, picture->plane->coordinates[2 * (size_t)i + 1]), radius);
    }
}

static void draw_label_line(const struct picture *picture, const struct names_label *label)
{
    if (label->placed && label->moved) {
        double x;
        double y;
        names_nearest_edge(label, &x, &y);
        cairo_set_source_rgb(picture->cairo, 0.6, 0.6, 0.6);
        cairo_set_line_width(picture->cairo, 0.8);
        draw_line(picture, label->x, label->y, x, y);
    }
}

/* On a ground that lines do not show through. */
static void draw_label(const struct picture *picture, const struct names_label *label,
                       const char *name)
{
    const struct names_box *box = &label->box;
    if (!label->placed) {
        return;
    }
    cairo_set_source_rgba(picture->cairo, 1, 1, 1, 0.85);
    cairo_rectangle(picture->cairo, box->left - 1, box->top + 1, box->right - box->left + 2,
                    box->bottom - box->top - 2);
    cairo_fill(picture->cairo);
    cairo_set_source_rgb(picture->cairo, 0.13, 0.13, 0.13);
    names_draw_text(picture->cairo, name, LABEL_CHARACTERS, label_size, box->left,
                    (box->top + box->bottom) / 2);
}

/* Lines lie below the points, and labels above both; where there are too many columns, each n-th
 * has its label. */
static uint32_t draw_labels(const struct picture *picture)
{
    const struct names *names = picture->clusters->names;
    uint32_t each = names->count / (LABELS_MAX + 1) + 1;
    uint32_t count = (names->count + each - 1) / each;
    struct names_label *labels = memory_allocate_zeroed(count + 1u, sizeof(*labels));
    for (uint32_t i = 0; i < count; i++) {
        size_t at = (size_t)i * each;
        labels[i] =
            (struct names_label){.x = across(picture, picture->plane->coordinates[2 * at]),
                                 .y = up(picture, picture->plane->coordinates[2 * at + 1]),
                                 .width = names_text_width(picture->cairo, names->columns[at].name,
                                                           LABEL_CHARACTERS, label_size),
                                 .height = line_height};
    }
    uint32_t left = names_place_labels(labels, count, &picture->area, radius + 1);
    for (uint32_t i = 0; i < count; i++) {
        draw_label_line(picture, &labels[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        draw_label(picture, &labels[i], names->columns[(size_t)i * each].name);
    }
    free(labels);
    return left + names->count - count;
}

/* ---------------------------------------------------------------- the picture */

/* Inches times 150, larger for more columns. */
static void size_up(struct picture *picture)
{
    static const struct {
        uint32_t columns;
        double width;
        double height;
    } sizes[] = {{40, 1800, 1200}, {120, 2400, 1650}, {300, 3000, 2100}, {UINT32_MAX, 3600, 2700}};
    uint32_t i = 0;
    while (column_count(picture) > sizes[i].columns) {
        i++;
    }
    picture->width = sizes[i].width;
    picture->height = sizes[i].height;
    picture->area =
        (struct names_box){110, 80, picture->width - legend_width, picture->height - 105};
}

enum status names_draw(const struct names_clusters *clusters, const struct cluster_plane *plane,
                       struct buffer *png, uint32_t *unlabelled, struct error *error)
{
    struct picture picture = {.clusters = clusters, .plane = plane};
    size_up(&picture);
    names_picture_measure(&picture);
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)picture.width, (int)picture.height);
    picture.cairo = cairo_create(surface);
    draw_frame(&picture);
    draw_legend(&picture);
    *unlabelled = draw_labels(&picture);
    draw_points(&picture);
    cairo_status_t drawn = cairo_status(picture.cairo);
    cairo_destroy(picture.cairo);
    enum status status = drawn == CAIRO_STATUS_SUCCESS
                             ? names_encode_png(surface, png, error)
                             : error_set(error, ERROR_INTERNAL, "the picture of names",
                                         "cairo says: %s", cairo_status_to_string(drawn));
    cairo_surface_destroy(surface);
    return status;
}
