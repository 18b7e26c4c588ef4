/* The ids of runs. */
#ifndef TRANSHUME_ENGINE_FOLDER_RUN_ID_H
#define TRANSHUME_ENGINE_FOLDER_RUN_ID_H

/* "20260131T235959Z-1f3a5c": sorts by time, of which the milliseconds are the first three digits of
 * the tail, and two runs of one moment differ. */
enum { RUN_ID_BYTES = 40 };
void random_run_id(char id[RUN_ID_BYTES]);

#endif
