/*
 * What fuzz targets share. A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput; it is
 * linked with libFuzzer (`make fuzz`), or with replay.c, which gives it the inputs of corpus/NAME
 * (`make test`).
 *
 * Where a target needs files, its input is an archive as text:
 *
 *   === NAME
 *   bytes up to the next such line
 */
#ifndef TRANSHUME_FUZZ_SUPPORT_H
#define TRANSHUME_FUZZ_SUPPORT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include "connectors/contract/connector.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process with a word unless the condition holds: libFuzzer takes that for a crash. */
#define FUZZ_REQUIRE(condition)                                \
    do {                                                       \
        if (!(condition)) {                                    \
            fuzz_broken(__FILE__, __LINE__, #condition, NULL); \
            abort(); /* not reached, as cppcheck sees */       \
        }                                                      \
    } while (0)
_Noreturn void fuzz_broken(const char *file, int line, const char *what, const struct error *error);

/* What every failure must bring: a known code, and one line of UTF-8 without control characters. */
void fuzz_check_error(const struct error *error);

/* Takes the input up to the next line break (without it) off its front. */
struct text fuzz_line(struct text *input);

/* A folder of this process in memory; `fuzz_empty_folder` removes what is in it. */
const char *fuzz_folder(void);
void fuzz_empty_folder(void);
/* Writes a file below the folder, making its parents; names with ".." and the like are left out. */
void fuzz_write(const char *name, size_t name_length, const void *bytes, size_t length);

/* The next part of an archive. False: there is none. */
struct fuzz_part {
    struct text name;
    struct text bytes;
};
bool fuzz_next_part(struct text *archive, struct fuzz_part *part);
/* Writes all parts as files below the folder, which is emptied first. */
void fuzz_unpack(struct text archive);

/* Opens what a URI names; NULL: refused (the error was looked at). `arena` outlives it. */
struct database *fuzz_open(const char *uri_text, enum open_mode mode, struct arena *arena);

/* Describes a source, reads every table of it whole and in spans; `compares`: there must be
 * as many records both times. */
void fuzz_read_source(struct database *source, bool compares, struct arena *arena);
/* Unpacks the archive and reads it as a source of that kind. Its first line may be options of the
 * URI: "?delimiter=tab". */
void fuzz_read_folder(const char *kind, struct text archive);
/* Loads the newest run of a target's ledger, and reads the engine's texts in it. */
void fuzz_read_ledger(struct database *target, struct arena *arena);
void fuzz_read_engine_texts(const struct ledger_run *run, struct arena *arena);

#endif
