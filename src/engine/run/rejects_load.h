/* migrate --rejects: mended records as the source of a small run of its own. */
#ifndef TRANSHUME_ENGINE_RUN_REJECTS_LOAD_H
#define TRANSHUME_ENGINE_RUN_REJECTS_LOAD_H

#include "engine/session/session.h"

/* Opens the file before the folder it may lie in is moved away. */
enum status rejects_load_open(struct run *run, struct error *error) MUST_USE;
/* From the opened file to the claimed ledger. */
enum status rejects_load_begin(struct run *run, struct error *error) MUST_USE;
/* On resume: is the copy there, and the same? Makes it from --rejects FILE where it is lost. */
enum status rejects_load_check(struct run *run, struct error *error) MUST_USE;
/* The stream that stands for the file: it feeds every entity. */
void rejects_load_make_stream(struct run *run);

#endif
