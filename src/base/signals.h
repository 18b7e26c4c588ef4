/* SIGINT and SIGTERM as a flag: once means finish the chunks in hand, twice means stop now. */
#ifndef TRANSHUME_BASE_SIGNALS_H
#define TRANSHUME_BASE_SIGNALS_H

/* Installs the handlers (SIGPIPE and SIGXFSZ are ignored); called once from main. */
void signals_setup(void);
/* From now on a signal ends the process with status 4 and these words on stderr: for work that has
 * nothing to finish. NULL: signals are counted again. Returns the words before. */
const char *signals_end_with(const char *last_words);
/* 0: go on; 1: finish the chunks in hand; 2: stop now. Any thread. */
int signals_stop_level(void);
/* As if a signal had come (tests, fail-fast). */
void signals_request_stop(int level);

#endif
