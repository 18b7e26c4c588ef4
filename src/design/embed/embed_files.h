/* The files of a folder of weights. */
#ifndef TRANSHUME_DESIGN_EMBED_FILES_H
#define TRANSHUME_DESIGN_EMBED_FILES_H

#include "base/arena.h"

/* The path of the model's file; NULL: the folder has none. */
const char *embed_model_file(const char *folder, struct arena *arena);

#endif
