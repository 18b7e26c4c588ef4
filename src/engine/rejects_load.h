/* migrate --rejects: mended records as the source of a small run of its own. */
#ifndef TRANSHUME_ENGINE_REJECTS_LOAD_H
#define TRANSHUME_ENGINE_REJECTS_LOAD_H

#include "engine/session.h"

/*
 * The file is checked whole and copied into the state folder (input.jsonl) before anything begins;
 * the ledger's header has its checksum, so that a resume reads the very same lines. Chunks are runs
 * of lines: bounds are two uint64 LE, byte offset and length, and one uint64 LE, the first line's
 * number.
 */
struct reading;

/* Opens the file before the folder it may lie in is moved away. */
enum status rejects_load_open(struct run *run, struct error *error) MUST_USE;
/* From the opened file to the claimed ledger. */
enum status rejects_load_begin(struct run *run, struct error *error) MUST_USE;
/* On resume: is the copy there, and the same? Makes it from --rejects FILE where it is lost. */
enum status rejects_load_check(struct run *run, struct error *error) MUST_USE;
/* The stream that stands for the file: it feeds every entity. */
enum status rejects_load_make_stream(struct run *run, struct error *error) MUST_USE;
/* A reader's work: the lines of one chunk as parcels. */
enum status rejects_load_span(struct reading *reading, struct error *error) MUST_USE;

#endif
