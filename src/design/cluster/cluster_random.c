/* Matsumoto and Nishimura's MT19937 (1998). */
#include "design/cluster/cluster_random.h"

enum { WORDS = CLUSTER_RANDOM_WORDS, MIDDLE = 397 };

void cluster_random_seed(struct cluster_random *random, uint32_t seed)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        random->words[i] = seed;
        seed = 1812433253U * (seed ^ seed >> 30) + i + 1;
    }
    random->at = WORDS;
}

static void cluster_random_turn(struct cluster_random *random)
{
    uint32_t *words = random->words;
    for (int i = 0; i < WORDS; i++) {
        uint32_t mixed = (words[i] & 0x80000000U) | (words[(i + 1) % WORDS] & 0x7fffffffU);
        words[i] = words[(i + MIDDLE) % WORDS] ^ mixed >> 1 ^ (mixed & 1 ? 0x9908b0dfU : 0);
    }
    random->at = 0;
}

uint32_t cluster_random_word(struct cluster_random *random)
{
    if (random->at == WORDS) {
        cluster_random_turn(random);
    }
    uint32_t word = random->words[random->at++];
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c5680U;
    word ^= word << 15 & 0xefc60000U;
    return word ^ word >> 18;
}

double cluster_random_double(struct cluster_random *random)
{
    uint32_t high = cluster_random_word(random) >> 5;
    uint32_t low = cluster_random_word(random) >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}

/* numpy adds the probabilities up in doubles, divides by their sum and searches there: rounding is
 * part of the answer. */
size_t cluster_random_choice(struct cluster_random *random, size_t count)
{
    double each = (double)(1.0F / (float)count);
    double drawn = cluster_random_double(random);
    double all = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        all += each;
    }
    for (size_t i = 0; i + 1 < count; i++) {
        sum += each;
        if (sum / all > drawn) {
            return i;
        }
    }
    return count - 1;
}
