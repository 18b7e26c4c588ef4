/* chunks.jsonl: which chunks are done and how, for the report. Never the truth; that is the
 * ledger. */
#ifndef TRANSHUME_ENGINE_FOLDER_CHUNK_LOG_H
#define TRANSHUME_ENGINE_FOLDER_CHUNK_LOG_H

#include "engine/ledger/ledger_texts.h"
#include "engine/session/session.h"

/*
 * The first line says the streams, in the order of their chunks, which are numbered from 1 through
 * all of them; then a line a done chunk, in the order of their commits:
 *   {"format":1,"run":ID,"streams":[{"name":TEXT,"chunks":n},…]}
 *   {"chunk":n,"attempt":a,"seconds":s,"read":n,"written":n,"rejected":n,"skipped":n,"bytes":n}
 * A chunk that is done again has another line, which counts. Attempts are numbered from 1 in each
 * epoch, which begins at a hundred.
 */
struct chunk_log;

/* Written anew, with `marks` (one a done chunk) in it; nothing reaches the disk before the first
 * flush. */
struct chunk_log *chunk_log_open(const struct run *run, const struct ledger_mark *marks,
                                 uint64_t mark_count);
/* A chunk was committed. Under run->state_mutex, as the next two. Takes NULL. */
void chunk_log_add(struct chunk_log *log, const struct ledger_mark *mark);
/* The lines that were added go to the file; a failure is said in the log, once. Takes NULL. */
void chunk_log_flush(struct chunk_log *log);
void chunk_log_close(struct chunk_log *log);

#endif
