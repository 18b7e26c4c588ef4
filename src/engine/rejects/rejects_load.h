/* migrate --rejects: mended records as the source of a small run of its own. */
#ifndef TRANSHUME_ENGINE_REJECTS_LOAD_H
#define TRANSHUME_ENGINE_REJECTS_LOAD_H

#include "engine/session/session.h"

/*
 * The file is checked whole and copied into the state folder (input.jsonl) before anything begins;
 * the ledger's header has its checksum, so that a resume reads the very same lines. Chunks are runs
 * of lines: bounds are four uint64 LE, byte offset and length, the first line's number, and 1 where
 * a repair inserts what was missing, 0 where what is there is written over.
 */
enum { REJECTS_LOAD_BOUNDS_BYTES = 32 };
struct reading;

/* Opens the file before the folder it may lie in is moved away. */
enum status rejects_load_open(struct run *run, struct error *error) MUST_USE;
/* From the opened file to the claimed ledger. */
enum status rejects_load_begin(struct run *run, struct error *error) MUST_USE;
/* On resume: is the copy there, and the same? Makes it from --rejects FILE where it is lost. */
enum status rejects_load_check(struct run *run, struct error *error) MUST_USE;
/* The stream that stands for the file: it feeds every entity. */
void rejects_load_make_stream(struct run *run);
/* Is a record that is there already another one, to which those of this chunk give way? */
bool rejects_load_inserts(const struct run *run, const struct span *span);
/* A reader's work: the lines of one chunk as parcels. */
enum status rejects_load_span(struct reading *reading, struct error *error) MUST_USE;

#endif
