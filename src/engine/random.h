/* Random numbers from the system: jitter and the tail of run ids. */
#ifndef TRANSHUME_ENGINE_RANDOM_H
#define TRANSHUME_ENGINE_RANDOM_H

#include <stdint.h>

/* Any thread. */
uint64_t random_uint64(void);

/* "20260131T235959Z-1f3a5c": sorts by time, and two runs of one second differ. */
enum { RUN_ID_BYTES = 40 };
void random_run_id(char id[RUN_ID_BYTES]);

#endif
