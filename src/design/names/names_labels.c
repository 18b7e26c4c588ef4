/*
 * Labels are placed one after the other, those of the densest places first: each at the first place
 * around its point, from near to far, that touches no label, no point and no line to another label,
 * and whose own line crosses no label and no point. Those that find none are placed once more, then
 * with lines wherever they go.
 */
#include "design/names/names_labels.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

enum { ANGLES = 24, RINGS = 44, NEIGHBOURS_WITHIN = 70 };
static const double gap = 3;         /* between a label and what is beside it */
static const double ring_step = 11;  /* from one ring of places to the next */
static const double near_enough = 9; /* needs no line */

struct placing {
    struct names_label *labels;
    uint32_t count;
    struct names_box area;
    double radius;
    const uint32_t *placed; /* the labels that were, in their order */
    uint32_t placed_count;
    bool crosses; /* lines may cross what is there */
};

static double clamp(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

void names_nearest_edge(const struct names_label *label, double *x, double *y)
{
    *x = clamp(label->x, label->box.left, label->box.right);
    *y = clamp(label->y, label->box.top, label->box.bottom);
}

static bool overlap(const struct names_box *left, const struct names_box *right)
{
    return left->left < right->right + gap && right->left < left->right + gap &&
           left->top < right->bottom && right->top < left->bottom;
}

static double cross(double ax, double ay, double bx, double by)
{
    return ax * by - ay * bx;
}

static bool segments_cross(const double a[4], const double b[4])
{
    double ax = a[2] - a[0];
    double ay = a[3] - a[1];
    double bx = b[2] - b[0];
    double by = b[3] - b[1];
    double one = cross(ax, ay, b[0] - a[0], b[1] - a[1]);
    double two = cross(ax, ay, b[2] - a[0], b[3] - a[1]);
    double three = cross(bx, by, a[0] - b[0], a[1] - b[1]);
    double four = cross(bx, by, a[2] - b[0], a[3] - b[1]);
    return one * two < 0 && three * four < 0;
}

static bool holds(const struct names_box *box, double x, double y)
{
    return x > box->left && x < box->right && y > box->top && y < box->bottom;
}

/* Does the line from the label to its point cross the box? */
static bool line_crosses(const struct names_label *label, const struct names_box *box)
{
    double line[4] = {label->x, label->y, 0, 0};
    names_nearest_edge(label, &line[2], &line[3]);
    const double falling[4] = {box->left, box->top, box->right, box->bottom};
    const double rising[4] = {box->left, box->bottom, box->right, box->top};
    return holds(box, line[0], line[1]) || holds(box, line[2], line[3]) ||
           segments_cross(line, falling) || segments_cross(line, rising);
}

/* How far the line to the label's place is from a point. */
static double distance_to_line(const struct names_label *label, double x, double y)
{
    double end_x;
    double end_y;
    names_nearest_edge(label, &end_x, &end_y);
    double along_x = end_x - label->x;
    double along_y = end_y - label->y;
    double length = along_x * along_x + along_y * along_y;
    double part = ((x - label->x) * along_x + (y - label->y) * along_y) / length;
    part = clamp(part, 0, 1);
    return hypot(label->x + part * along_x - x, label->y + part * along_y - y);
}

static bool line_meets_point(const struct placing *placing, const struct names_label *label)
{
    for (uint32_t i = 0; i < placing->count; i++) {
        const struct names_label *point = &placing->labels[i];
        if (point != label && hypot(point->x - label->x, point->y - label->y) > 1 &&
            distance_to_line(label, point->x, point->y) < placing->radius) {
            return true;
        }
    }
    return false;
}

static bool line_is_free(const struct placing *placing, const struct names_label *label)
{
    for (uint32_t i = 0; i < placing->placed_count; i++) {
        const struct names_label *other = &placing->labels[placing->placed[i]];
        if ((other->moved && line_crosses(other, &label->box)) ||
            (label->moved && line_crosses(label, &other->box))) {
            return false;
        }
    }
    return !label->moved || !line_meets_point(placing, label);
}

static bool is_free(const struct placing *placing, const struct names_label *label)
{
    const struct names_box *box = &label->box;
    const struct names_box *area = &placing->area;
    if (box->left < area->left || box->right > area->right || box->top < area->top ||
        box->bottom > area->bottom) {
        return false;
    }
    for (uint32_t i = 0; i < placing->placed_count; i++) {
        const struct names_label *other = &placing->labels[placing->placed[i]];
        if (overlap(box, &other->box)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < placing->count; i++) {
        const struct names_label *point = &placing->labels[i];
        double x = clamp(point->x, box->left, box->right) - point->x;
        double y = clamp(point->y, box->top, box->bottom) - point->y;
        if (x * x + y * y < placing->radius * placing->radius) {
            return false;
        }
    }
    return placing->crosses || line_is_free(placing, label);
}

/* To the right of the point first, then around it. */
static void names_labels_put(struct names_label *label, double distance, uint32_t angle,
                             double radius)
{
    double turn = (angle % 2 == 0 ? angle / 2 : ANGLES - (angle + 1) / 2) * 2 * M_PI / ANGLES;
    double x = label->x + cos(turn) * (label->width / 2 + radius + gap + distance);
    double y = label->y + sin(turn) * (label->height / 2 + radius + gap + distance);
    label->box = (struct names_box){x - label->width / 2, y - label->height / 2,
                                    x + label->width / 2, y + label->height / 2};
    double edge_x;
    double edge_y;
    names_nearest_edge(label, &edge_x, &edge_y);
    label->moved = hypot(edge_x - label->x, edge_y - label->y) > radius + near_enough;
}

static bool names_labels_place(const struct placing *placing, struct names_label *label)
{
    for (uint32_t ring = 0; ring < RINGS; ring++) {
        for (uint32_t angle = 0; angle < ANGLES; angle++) {
            names_labels_put(label, ring * ring_step, angle, placing->radius);
            if (is_free(placing, label)) {
                return true;
            }
        }
    }
    return false;
}

struct rank {
    uint32_t label;
    uint32_t neighbours;
};

static int by_neighbours(const void *left, const void *right)
{
    const struct rank *one = left;
    const struct rank *other = right;
    if (one->neighbours != other->neighbours) {
        return one->neighbours > other->neighbours ? -1 : 1;
    }
    return one->label < other->label ? -1 : 1;
}

static struct rank *rank(const struct names_label *labels, uint32_t count)
{
    struct rank *ranks = memory_allocate_zeroed(count + 1u, sizeof(*ranks));
    for (uint32_t i = 0; i < count; i++) {
        ranks[i].label = i;
        for (uint32_t j = 0; j < count; j++) {
            ranks[i].neighbours += fabs(labels[i].x - labels[j].x) < NEIGHBOURS_WITHIN &&
                                   fabs(labels[i].y - labels[j].y) < NEIGHBOURS_WITHIN;
        }
    }
    qsort(ranks, count, sizeof(*ranks), by_neighbours);
    return ranks;
}

uint32_t names_place_labels(struct names_label *labels, uint32_t count,
                            const struct names_box *area, double radius)
{
    uint32_t *placed = memory_allocate_zeroed(count + 1u, sizeof(*placed));
    struct rank *ranks = rank(labels, count);
    struct placing placing = {
        .labels = labels, .count = count, .area = *area, .radius = radius, .placed = placed};
    for (uint32_t i = 0; i < 2 * count; i++) {
        uint32_t number = ranks[i < count ? i : i - count].label;
        struct names_label *label = &labels[number];
        placing.crosses = i >= count;
        if (!label->placed && names_labels_place(&placing, label)) {
            label->placed = true;
            placed[placing.placed_count++] = number;
        }
    }
    free(ranks);
    free(placed);
    return count - placing.placed_count;
}
