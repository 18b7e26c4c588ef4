/*
 * The way back of a run whose cut-over is done, by the state folders: it (cutover --reverse) is a
 * run of its own in FOLDER/back, and once it was taken the source is the database again.
 */
#ifndef TRANSHUME_CLI_WAY_BACK_H
#define TRANSHUME_CLI_WAY_BACK_H

#include "base/buffer.h"
#include "base/error.h"

enum way_back {
    WAY_BACK_NOT_CUT_OVER, /* no cut-over of the run is done */
    WAY_BACK_NONE,         /* it is done, and no way back is open */
    WAY_BACK_OPEN,         /* the former source is fed with what is written to the target */
    WAY_BACK_TAKEN         /* the source is the database again */
};

enum way_back way_back_look(const char *state_folder);
/* A sentence without its full stop; nothing of a run that is not cut over. */
void way_back_describe(const char *state_folder, enum way_back found, struct buffer *out);
/* "open", "taken"; NULL: there is none. */
const char *way_back_name(enum way_back found);
/* The refusal of a command that would go on with a run whose cut-over was taken back. */
enum status way_back_refuse(const char *state_folder, struct error *error) MUST_USE;

#endif
