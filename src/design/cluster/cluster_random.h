/* The Mersenne Twister MT19937 as numpy.random.RandomState draws from it. */
#ifndef TRANSHUME_DESIGN_CLUSTER_RANDOM_H
#define TRANSHUME_DESIGN_CLUSTER_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { CLUSTER_RANDOM_WORDS = 624 };

struct cluster_random {
    uint32_t words[CLUSTER_RANDOM_WORDS];
    unsigned at;
};

/* RandomState(seed). */
void cluster_random_seed(struct cluster_random *random, uint32_t seed);
uint32_t cluster_random_word(struct cluster_random *random);
/* random_sample() and uniform(): 53 bits, at least 0 and below 1. */
double cluster_random_double(struct cluster_random *random);
/* choice(count, p=equal weights of float32): below `count`, which is not 0. */
size_t cluster_random_choice(struct cluster_random *random, size_t count);

#endif
