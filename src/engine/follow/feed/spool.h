/*
 * Keeping a source's log short while the copy is made (--spool): a thread reads the feed into files
 * of the state folder (spool_file.h), and the source may forget what is in them. Following reads
 * them first (feeder.h).
 *
 * Where the disk is full or the feed fails, the source keeps its log from there on, and a line says
 * so; nothing is lost.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_FEED_SPOOL_H
#define TRANSHUME_ENGINE_FOLLOW_FEED_SPOOL_H

#include "engine/session/session.h"

/* The folder of the run's spool, which need not be there. */
const char *spool_folder(const struct run *run) __attribute__((returns_nonnull));

/* Begins the spool of a followed run whose copy is under way, or goes on where an earlier attempt
 * stopped. Does nothing where it was not asked for, and no earlier attempt was. */
enum status spool_begin(struct run *run, struct error *error) MUST_USE;
/* Stops; the files stay. Not begun: fine. */
void spool_end(struct run *run);

#endif
