/* The lines of a file of mended records, read as chunks (run/rejects_load.h). */
#ifndef TRANSHUME_ENGINE_COPY_REJECTS_READ_H
#define TRANSHUME_ENGINE_COPY_REJECTS_READ_H

#include "engine/copy/reading.h"

/*
 * The file is checked whole and copied into the state folder (input.jsonl) before anything begins;
 * the ledger's header has its checksum, so that a resume reads the very same lines. Chunks are runs
 * of lines: bounds are four uint64 LE, byte offset and length, the first line's number, and 1 where
 * a repair inserts what was missing, 0 where what is there is written over.
 */
enum { REJECTS_LOAD_BOUNDS_BYTES = 32 };

/* Is a record that is there already another one, to which those of this chunk give way? */
bool rejects_load_inserts(const struct run *run, const struct span *span);
/* A reader's work: the lines of one chunk as parcels. */
enum status rejects_load_span(struct reading *reading, struct error *error) MUST_USE;

#endif
