/* Eigenvalues and eigenvectors of symmetric matrices: only the largest few are wanted. */
#ifndef TRANSHUME_DESIGN_CLUSTER_SYMMETRIC_H
#define TRANSHUME_DESIGN_CLUSTER_SYMMETRIC_H

#include "base/error.h"
#include <stddef.h>

/*
 * The `wanted` largest eigenvalues of the matrix, which is overwritten, in descending order; values
 * that the matrix is too small for are 0. `vectors` gets a row of length 1 for each.
 *
 * The matrix is brought to three diagonals by Householder's reflections, the eigenvalues of these
 * are found by bisection (Sturm's sequences), their vectors by inverse iteration; vectors of equal
 * values are made orthogonal.
 */
enum status cluster_symmetric_largest(double *matrix, size_t side, size_t wanted, double *values,
                                      double *vectors, struct error *error) MUST_USE;

#endif
