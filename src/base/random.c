/* Random numbers from getrandom(2), from the clock where that fails. */
#include "base/random.h"

#include "base/clock.h"
#include <sys/random.h>

uint64_t random_uint64(void)
{
    uint64_t number;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        number = (uint64_t)clock_monotonic_ns() * UINT64_C(0x9e3779b97f4a7c15);
    }
    return number;
}
