/* Declarations that the files of this room share. */
#ifndef TRANSHUME_DESIGN_CLUSTER_POINTS_H
#define TRANSHUME_DESIGN_CLUSTER_POINTS_H

#include "design/cluster/cluster.h"

/* Whether there are 1 to `most` points of a width that is worked on. */
enum status cluster_check_points(const struct cluster_points *points, size_t most,
                                 struct error *error) MUST_USE;
/* Whether 1 <= clusters <= points. */
enum status cluster_check_count(size_t clusters, size_t points, struct error *error) MUST_USE;
/* A size that comes from data, from malloc. */
enum status cluster_allocate(size_t count, size_t size, void **out, struct error *error) MUST_USE;

/* The squared distance of two points of the matrix. */
float cluster_distance(const struct cluster_distances *distances, size_t left, size_t right);
size_t cluster_distances_count(const struct cluster_distances *distances);

#endif
