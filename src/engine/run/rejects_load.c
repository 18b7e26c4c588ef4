/* Preparing a run that loads mended records: the file checked, copied, cut into chunks. */
#include "engine/run/rejects_load.h"
#include "engine/copy/rejects_read.h"
#include "engine/state/state.h"

#include "base/file.h"
#include "engine/formats/mended_line.h"
#include "engine/rejects/rejects.h"
#include "engine/rollback/undo.h"
#include "engine/run/run_begin.h"
#include "engine/session/home.h"
#include "engine/settle/repair_delete.h"
#include "engine/state/run_state.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_LINES = 10000, CHUNK_BYTES = 4 << 20, COPY_BYTES = 64 << 10 };

static enum status bad_file(const char *path, uint64_t line, const struct error *why,
                            struct error *error)
{
    char object[512];
    if (why->code == ERROR_MEMORY) {
        return error_copy(error, why);
    }
    snprintf(object, sizeof(object), "%s:%" PRIu64, path, line);
    error_set(error, why->code == ERROR_FORMAT_NEWER ? ERROR_FORMAT_NEWER : ERROR_BAD_VALUE, object,
              "%s", why->message);
    return error_hint(error, "each line has to be an object as in a reject file, with \"entity\", "
                             "\"table\" and the corrected \"record\"");
}

enum status rejects_load_open(struct run *run, struct error *error)
{
    const char *path = run->session->options.repair.file;
    run->rejects.input = file_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
    if (run->rejects.input >= 0) {
        return STATUS_OK;
    }
    error_set_errno(error, ERROR_BAD_VALUE, errno, path, "can't open the rejects to load");
    return error_hint(error, "rejects lie in %s, or in %s/RUN/rejects of a run that is over",
                      run->folder.rejects, run->folder.runs);
}

/* ---- the copy */

static enum status copy_input(struct run *run, struct error *error)
{
    const char *from = run->session->options.repair.file;
    const char *to = run->folder.input_file;
    char block[COPY_BYTES];
    ssize_t got;
    enum status status = STATUS_OK;
    unlink(to); /* what a run that never began left */
    int output = file_open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (output < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, to, "can't copy the rejects");
    }
    off_t offset = 0;
    while (status == STATUS_OK &&
           (got = file_read_at(run->rejects.input, block, sizeof(block), offset)) != 0) {
        if (got < 0) {
            status = error_set_errno(error, ERROR_BAD_VALUE, errno, from, "can't read it");
        } else {
            offset += got;
            status = file_write_all(output, block, (size_t)got, to, error);
        }
    }
    if (status == STATUS_OK && file_sync(output) != 0) {
        status = error_set_errno(error, ERROR_STATE_WRITE, errno, to, "can't copy the rejects");
    }
    close(output);
    return status == STATUS_OK ? file_sync_folder(run->folder.path, error) : status;
}

static enum status measure_input(struct run *run, char hex[33], uint64_t *bytes,
                                 struct error *error)
{
    uint64_t lines;
    return rejects_measure(run->folder.input_file, hex, &lines, bytes, error);
}

enum status rejects_load_check(struct run *run, struct error *error)
{
    char hex[33];
    uint64_t bytes;
    enum status status = measure_input(run, hex, &bytes, error);
    if (status == STATUS_END && run->session->options.repair.file != NULL) {
        if (rejects_load_open(run, error) != STATUS_OK || copy_input(run, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        status = measure_input(run, hex, &bytes, error);
    }
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (status == STATUS_END || run->header.input_hash == NULL ||
        strcmp(hex, run->header.input_hash) != 0) {
        error_set(error, ERROR_SOURCE_CHANGED, run->folder.input_file,
                  status == STATUS_END ? "the records that this run loads are gone"
                                       : "these are not the records that the run began with");
        return error_hint(error, "put the file back, or resume with --rejects FILE as it was then");
    }
    return STATUS_OK;
}

/* ---- chunks */

struct cutter {
    struct run *run;
    bool sees_keys; /* the target would, of all records so far */
    bool inserts;   /* what the chunk being cut has was missing */
    uint64_t capacity;
    uint64_t offset; /* of the chunk being cut */
    uint64_t length;
    uint64_t first_line;
    uint64_t lines;
};

static void put_uint64(uint8_t *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
}

static void cut_chunk(struct cutter *cutter)
{
    struct run *run = cutter->run;
    if (run->chunks.count == cutter->capacity) {
        uint64_t wanted = cutter->capacity == 0 ? 16 : cutter->capacity * 2;
        struct ledger_chunk *chunks = arena_allocate_zeroed(run->arena, wanted, sizeof(*chunks));
        if (run->chunks.count > 0) {
            memcpy(chunks, run->chunks.list, run->chunks.count * sizeof(*chunks));
        }
        run->chunks.list = chunks;
        cutter->capacity = wanted;
    }
    uint8_t *bounds = arena_allocate_zeroed(run->arena, REJECTS_LOAD_BOUNDS_BYTES, 1);
    char *printable = arena_format(run->arena, "lines %" PRIu64 "..%" PRIu64, cutter->first_line,
                                   cutter->first_line + cutter->lines - 1);
    put_uint64(bounds, cutter->offset);
    put_uint64(bounds + 8, cutter->length);
    put_uint64(bounds + 16, cutter->first_line);
    put_uint64(bounds + 24, cutter->inserts);
    run->chunks.list[run->chunks.count] =
        (struct ledger_chunk){.number = run->chunks.count + 1,
                              .span = {.printable = printable,
                                       .bounds = bounds,
                                       .bounds_length = REJECTS_LOAD_BOUNDS_BYTES,
                                       .row_estimate = (int64_t)cutter->lines}};
    run->chunks.count++;
    cutter->offset += cutter->length;
    cutter->first_line += cutter->lines;
    cutter->length = 0;
    cutter->lines = 0;
}

static enum status check_and_cut(struct run *run, struct file_lines *lines, bool *sees_keys,
                                 struct error *error)
{
    const struct plan *plan = run->session->plan;
    struct cutter cutter = {.run = run, .first_line = 1, .sees_keys = true};
    struct mended_line mended;
    struct error why;
    enum status status;
    while ((status = file_lines_next(lines, error)) == STATUS_OK) {
        if (mended_line_check(plan, lines->line, lines->length, &mended, &why) != STATUS_OK) {
            return bad_file(run->session->options.repair.file, cutter.first_line + cutter.lines,
                            &why, error);
        }
        if (cutter.lines > 0 && cutter.inserts != mended.inserts) {
            cut_chunk(&cutter);
        }
        cutter.inserts = mended.inserts;
        cutter.length += lines->length;
        cutter.lines++;
        cutter.sees_keys = cutter.sees_keys &&
                           plan->tables[plan->entities[mended.entity].table].target.key.count > 0;
        if (cutter.lines >= CHUNK_LINES || cutter.length >= CHUNK_BYTES) {
            cut_chunk(&cutter);
        }
    }
    if (status != STATUS_END) {
        return STATUS_FAILED;
    }
    if (cutter.lines > 0) {
        cut_chunk(&cutter);
    }
    if (run->chunks.count == 0 && !run->repairs) {
        return error_set(error, ERROR_BAD_VALUE, run->session->options.repair.file,
                         "there is no record in it");
    }
    *sees_keys =
        cutter.sees_keys && (run->session->target->capabilities & CAPABILITY_KEY_ENFORCED) != 0;
    return STATUS_OK;
}

/* `*sees_keys`: would the target see that a record of the file is there already? */
static enum status make_chunks(struct run *run, bool *sees_keys, struct error *error)
{
    const char *path = run->folder.input_file;
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_STATE_INVALID, path, "the copy is gone");
    }
    if (status == STATUS_OK) {
        status = check_and_cut(run, &lines, sees_keys, error);
        file_lines_close(&lines);
    }
    return status;
}

/* ---- was it loaded before? */

/* Where the target would not see it, the finished runs are asked. */
static enum status check_not_loaded(const struct run *run, const char *hash, struct error *error)
{
    const char *path = run->session->options.repair.file;
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, run->folder.runs, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        char input[4096];
        char hex[33];
        uint64_t lines;
        uint64_t bytes;
        struct error ignored; /* what can't be read can't be compared */
        snprintf(input, sizeof(input), "%s/%s/input.jsonl", run->folder.runs, name);
        if (name[0] != '.' && rejects_measure(input, hex, &lines, &bytes, &ignored) == STATUS_OK &&
            strcmp(hex, hash) == 0) {
            error_set(error, ERROR_TARGET_NOT_EMPTY, path,
                      "run %s loaded these very records already", name);
            status = error_hint(
                error, "this target cannot find an existing record: leave out of the file what "
                       "was loaded");
        }
    }
    entries_close(&entries);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* Others may have filled those columns of records that the plan leaves alone; whatever else a
 * document has was told as a difference. */
static enum existing_policy policy_of_repair(const struct run *run,
                                             const struct target_table *table)
{
    bool free_fields = (run->session->target->capabilities & CAPABILITY_FREE_FIELDS) != 0;
    return table->existing == EXISTING_UPSERT || !free_fields ? EXISTING_UPSERT : EXISTING_REPLACE;
}

/* The run before filled the tables. A repair puts right what is there under its keys. */
static void set_policies(struct run *run)
{
    for (uint32_t i = 0; i < run->table_count; i++) {
        struct target_table *table = &run->tables[i];
        if (table->may_repeat) { /* a record of the file that is written again is rejected as a
                                    duplicate */
            table->may_repeat = false;
            table->existing = run->session->plan->tables[i].target.existing;
        }
        table->keys_differ = false;
        bool writes_over = run->repairs && table->key.count > 0 &&
                           (table->existing == EXISTING_UPSERT || repair_replaces(run, table));
        if (writes_over) {
            table->clears_others = run->session->plan->tables[i].entity_count > 1 &&
                                   run->session->plan->tables[i].target.existing != EXISTING_UPSERT;
            table->existing = policy_of_repair(run, table);
            table->may_repeat = home_repeats_chunks(run->session);
            /* the lists of a validation name each key once, unless the target lets several have it
             */
            table->keys_differ = !table->distinct && (run->session->target->capabilities &
                                                      CAPABILITY_KEY_ENFORCED) != 0;
        } else if (table->existing == EXISTING_REFUSE || run->repairs) {
            table->existing = EXISTING_APPEND;
        }
    }
}

/* ---- the stream that stands for the file */

void rejects_load_make_stream(struct run *run)
{
    const struct plan *plan = run->session->plan;
    uint32_t *entities = arena_allocate_zeroed(run->arena, plan->entity_count, sizeof(*entities));
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        entities[i] = i;
    }
    const char *name = run->repairs ? "the records to repair" : "the corrected records";
    run->rejects.stream = (struct plan_stream){.name = name,
                                               .request = {.name = name},
                                               .entities = entities,
                                               .entity_count = plan->entity_count};
    set_policies(run);
}

/* Another validation may have come between the one that made a repair's lists and the repair. */
static enum status check_made(const struct run *run, const char *hash, struct error *error)
{
    const char *wanted = run->session->options.repair.write_hash;
    if (wanted == NULL || strcmp(hash, wanted) == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_STATE_INVALID, run->session->options.repair.file,
              "it is not the list that the validation made: another one came in between");
    return error_hint(error, "nothing was changed; say `transhume validate --repair` again");
}

/* Records without a key would be there twice, were a chunk written again. */
static enum status refuse_repeats(const struct run *run, struct error *error)
{
    if (!home_repeats_chunks(run->session)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_PLAN_INVALID, run->session->options.repair.file,
              "with --ledger a chunk may be written twice, and without a key its records would be "
              "there twice");
    return error_hint(error, "leave --ledger out");
}

enum status rejects_load_begin(struct run *run, struct error *error)
{
    char hex[33];
    uint64_t bytes;
    bool sees_keys = false;
    struct run_session *session = run->session;
    if (run->rejects.input < 0 && session->options.repair.file == NULL) {
        return error_set(error, ERROR_RUN_NOTHING, run->folder.path,
                         "the run had not begun: run `transhume %s` again",
                         run->repairs ? "validate --repair" : "migrate --rejects FILE");
    }
    set_policies(run);
    if ((run->rejects.input < 0 && rejects_load_open(run, error) != STATUS_OK) ||
        run_retire_finished(run, error) != STATUS_OK ||
        state_folder_make_rooms(&run->folder, error) != STATUS_OK ||
        copy_input(run, error) != STATUS_OK ||
        measure_input(run, hex, &bytes, error) != STATUS_OK ||
        check_made(run, hex, error) != STATUS_OK ||
        make_chunks(run, &sees_keys, error) != STATUS_OK ||
        (!sees_keys && refuse_repeats(run, error) != STATUS_OK) ||
        (!sees_keys && !run->repairs && check_not_loaded(run, hex, error) != STATUS_OK) ||
        undo_begin(run, error) != STATUS_OK || run_index_chunks(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (session->target->connector->identity(session->target, session->arena,
                                             &session->target_identity, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    run_fill_header(run);
    run->header.snapshot = NULL;
    run->header.input_hash = arena_copy_string(run->arena, hex);
    run->header.input_bytes = (int64_t)bytes;
    if (run->repairs && repair_delete_bind(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (run_write_local(run, false, false, error) != STATUS_OK ||
        (run->session->learned && run_keep_plan(run, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    state_begin(run, NULL, 0);
    state_write(run, STATE_NOT_STARTED);
    return run_create_ledger(run, error);
}
