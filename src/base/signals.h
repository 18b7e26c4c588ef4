/* SIGINT and SIGTERM as a flag: once means finish the chunks in hand, twice means stop now. */
#ifndef TRANSHUME_BASE_SIGNALS_H
#define TRANSHUME_BASE_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* Installs the handlers (SIGPIPE and SIGXFSZ are ignored); called once from main. */
void signals_setup(void);
/* From now on a signal ends the process with status 4 and these words on stderr: for work that has
 * nothing to finish. NULL: signals are counted again. Returns the words before. */
const char *signals_end_with(const char *last_words);
/* 0: go on; 1: finish the chunks in hand; 2: stop now. Any thread. */
int signals_stop_level(void);
/* From this moment on (monotonic milliseconds; 0: none) the level is 2: a deadline for everything
 * that heeds the level, wherever it waits. Any thread. */
void signals_stop_at(int64_t at_ms);
/* The calling thread finishes what it does: the level is 0 for it, whatever comes, until it is set
 * back. Returns what was set before. For steps that let others go on. */
bool signals_shield(bool on);
bool signals_is_shielded(void);
/* As if a signal had come (tests, fail-fast). */
void signals_request_stop(int level);

#endif
