/* Random numbers from the system. */
#ifndef TRANSHUME_BASE_RANDOM_H
#define TRANSHUME_BASE_RANDOM_H

#include <stdint.h>

/* Any thread. */
uint64_t random_uint64(void);

#endif
