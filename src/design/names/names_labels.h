/* Where labels of points go, so that none lies on another or on a point. */
#ifndef TRANSHUME_DESIGN_NAMES_NAMES_LABELS_H
#define TRANSHUME_DESIGN_NAMES_NAMES_LABELS_H

#include <stdbool.h>
#include <stdint.h>

struct names_box {
    double left;
    double top;
    double right;
    double bottom;
};

struct names_label {
    double x; /* of its point */
    double y;
    double width;
    double height;
    struct names_box box; /* where it was placed */
    bool placed;
    bool moved; /* so far that a line to its point is needed */
};

/* Places what has room within `area`; `radius` is of the points. How many have none. */
uint32_t names_place_labels(struct names_label *labels, uint32_t count,
                            const struct names_box *area, double radius);
/* The place on the box's edge that is nearest to the point. */
void names_nearest_edge(const struct names_label *label, double *x, double *y);

#endif
