/* Lines for a repair. */
#include "verify/repair.h"
#include "base/file.h"

#include "engine/rejects/rejects.h"
#include "engine/settle/repair_delete.h"
#include "model/json_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

FILE *repair_create(const char *path)
{
    unlink(path);
    int file = file_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return file < 0 ? NULL : fdopen(file, "w+");
}

/* Nobody finds it but who has it open, so that nothing of it outlives the process. */
static FILE *create_nameless(const char *path)
{
    FILE *file = repair_create(path);
    unlink(path);
    return file;
}

enum status repair_cant_write(const char *path, struct error *error)
{
    return error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                           "can't write what is to be repaired");
}

enum status repair_files_open(struct repair_files *files, struct verify *verify,
                              struct error *error)
{
    *files = (struct repair_files){.verify = verify};
    verify->repair = files;
    reject_file_init(&files->unmade, verify->run->folder.path, 0, 0);
    snprintf(files->unmade.name, sizeof files->unmade.name, "%s", STATE_UNMADE);
    /* empty: nothing was found that can't be made; who does not find it can't tell */
    FILE *unmade =
        repair_create(arena_format(verify->arena, "%s/%s", verify->run->folder.path, STATE_UNMADE));
    files->write_path = arena_format(verify->arena, "%s/repair.jsonl", verify->run->folder.path);
    files->insert_path = arena_format(verify->arena, "%s/insert.jsonl", verify->run->folder.path);
    files->delete_path = arena_format(verify->arena, "%s/delete.jsonl", verify->run->folder.path);
    files->extra_path = arena_format(verify->arena, "%s/extra.jsonl", verify->run->folder.path);
    unlink(files->extra_path);
    files->deletes_of =
        arena_allocate_zeroed(verify->arena, verify->table_count + 1u, sizeof(uint64_t));
    files->writes_of =
        arena_allocate_zeroed(verify->arena, verify->table_count + 1u, sizeof(uint64_t));
    files->ways =
        arena_allocate_zeroed(verify->arena, verify->table_count + 1u, sizeof(*files->ways));
    files->writes = repair_create(files->write_path);
    files->inserts = create_nameless(files->insert_path);
    files->deletes = repair_create(files->delete_path);
    bool made = unmade != NULL && fclose(unmade) == 0;
    return made && files->writes != NULL && files->inserts != NULL && files->deletes != NULL
               ? STATUS_OK
               : repair_cant_write(files->write_path, error);
}

static enum status repair_hash(const char *path, char hex[33], struct error *error)
{
    uint64_t lines;
    uint64_t bytes;
    enum status status = rejects_measure(path, hex, &lines, &bytes, error);
    return status == STATUS_END
               ? error_set(error, ERROR_STATE_INVALID, path, "it vanished while it was written")
               : status;
}

/* For a repair's session, which comes after this one. */
static void note_made(const struct verify *verify)
{
    const char **names =
        arena_allocate_zeroed(verify->session->arena, verify->table_count + 1u, sizeof *names);
    verify->result->made.names = names;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        const char *name = verify->tables[i].plan->target.name;
        if (ledger_status_is_created(&verify->run->status, name)) {
            names[verify->result->made.count++] = name;
        }
    }
}

enum status repair_files_hash(const struct repair_files *files, struct error *error)
{
    struct verify_result *result = files->verify->result;
    note_made(files->verify);
    return repair_hash(files->write_path, result->write_hash, error) == STATUS_OK
               ? repair_hash(files->delete_path, result->delete_hash, error)
               : STATUS_FAILED;
}

/* On disk: a repair's ledger vouches for it. */
bool repair_close_synced(FILE *file)
{
    bool failed = file != NULL && (fflush(file) != 0 || file_sync(fileno(file)) != 0);
    return (file == NULL || fclose(file) == 0) && !failed;
}

/* Behind what is different, since the two are written in different ways: chunks have one of them.
 */
static bool append_inserts(const struct repair_files *files)
{
    char block[64 << 10];
    size_t got;
    if (files->writes == NULL || files->inserts == NULL) {
        return true; /* they could not be made, or are closed */
    }
    rewind(files->inserts);
    while ((got = fread(block, 1, sizeof(block), files->inserts)) > 0 &&
           fwrite(block, 1, got, files->writes) == got) {
    }
    return !ferror(files->inserts) && !ferror(files->writes);
}

enum status repair_unmade(struct repair_files *files, const struct plan_stream *stream,
                          const struct mapper_reject *from, struct error *error)
{
    const struct verify *verify = files->verify;
    const struct plan_entity *entity = verify->entities[from->entity].plan;
    const struct cell nothing = cell_items(VALUE_MAP, NULL, 0);
    const char *run_id = verify->result->run_id;
    const struct reject reject = {
        .run_id = run_id != NULL ? run_id : "",
        .entity = entity->name,
        .table = verify->tables[entity->table].plan->target.name,
        .source = stream->name,
        .key_names = from->source_key_count == stream->key_count ? stream->key_names : NULL,
        .key = from->source_key,
        .key_count = from->source_key_count,
        .code = from->code,
        .reason = from->reason,
        .record = from->record.kind == VALUE_MAP ? &from->record : &nothing};
    return reject_file_add(&files->unmade, &reject, error);
}

enum status repair_leave(struct repair_files *files, const struct spill_head *source,
                         enum error_code code, struct error *error)
{
    const struct verify *verify = files->verify;
    const struct plan_entity *entity = verify->entities[source->entity].plan;
    const struct cell nothing = cell_items(VALUE_MAP, NULL, 0);
    char reason[96]; /* with a number, since nothing else tells these lines apart */
    snprintf(reason, sizeof reason, "%s (%" PRIu64 ")",
             code == ERROR_REJECT_CONSTRAINT ? "a constraint of the target refused it"
                                             : "another record of the source has the same key",
             files->unmade.count + 1);
    const struct reject reject = {.run_id = "",
                                  .entity = entity->name,
                                  .table = verify->tables[entity->table].plan->target.name,
                                  .source = "repair",
                                  .code = code,
                                  .reason = reason,
                                  .record = &nothing};
    return reject_file_add(&files->unmade, &reject, error);
}

enum status repair_files_close(struct repair_files *files, struct error *error)
{
    struct ledger_rejects vouched;
    if (files->unmade.folder != NULL &&
        reject_file_sync(&files->unmade, &vouched, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (files->unmade.folder != NULL) {
        reject_file_close(&files->unmade, true);
        files->unmade.folder = NULL;
    }
    bool failed = !append_inserts(files);
    failed = !repair_close_synced(files->writes) || failed;
    failed = !repair_close_synced(files->deletes) || failed;
    failed = !repair_close_synced(files->extras) || failed;
    if (files->inserts != NULL) {
        fclose(files->inserts);
    }
    files->writes = files->inserts = files->deletes = files->extras = NULL;
    return failed ? repair_cant_write(files->write_path, error) : STATUS_OK;
}

static enum status put_line(FILE *file, const char *path, struct buffer *line, struct error *error)
{
    enum status status = STATUS_OK;
    if (fwrite(line->data, 1, line->length, file) != line->length) {
        status = repair_cant_write(path, error);
    }
    buffer_free(line);
    return status;
}

/* The target is asked once, not for each record. */
static bool replaces(const struct repair_files *files, uint32_t table)
{
    const struct verify *verify = files->verify;
    const struct target_table *target = &verify->tables[table].plan->target;
    enum repair_way *way = &files->ways[table];
    if (*way == REPAIR_WAY_UNKNOWN) {
        bool over = target->existing == EXISTING_UPSERT || repair_replaces(verify->run, target);
        *way = over ? REPAIR_WAY_OVER : REPAIR_WAY_DELETE;
    }
    return *way == REPAIR_WAY_OVER;
}

static void append_key(const struct repair_files *files, const struct spill_head *head,
                       struct buffer *line)
{
    const char *table = files->verify->tables[head->table].plan->target.name;
    buffer_append_string(line, "{\"table\":");
    json_append_string(line, table, strlen(table));
    buffer_append_string(line, ",\"key\":");
    buffer_append(line, spill_key(head), head->key_length);
    buffer_append_string(line, "}\n");
}

static enum status put_key(struct repair_files *files, const struct spill_head *head,
                           struct error *error)
{
    struct buffer line = {0};
    append_key(files, head, &line);
    files->delete_count++;
    files->deletes_of[head->table]++;
    return put_line(files->deletes, files->delete_path, &line, error);
}

enum status repair_write(struct repair_files *files, const struct spill_head *source, bool there,
                         struct error *error)
{
    const struct plan_entity *entity = files->verify->entities[source->entity].plan;
    const struct target_table *target = &files->verify->tables[source->table].plan->target;
    const char *table = target->name;
    bool inserts = !there && target->key.count > 0 &&
                   (files->verify->session->target->capabilities & CAPABILITY_KEY_ENFORCED) != 0;
    struct buffer line = {0};
    if (there && !replaces(files, source->table) && put_key(files, source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&line, "{\"format\":1,\"entity\":");
    json_append_string(&line, entity->name, strlen(entity->name));
    buffer_append_string(&line, ",\"table\":");
    json_append_string(&line, table, strlen(table));
    buffer_append_string(&line, inserts ? ",\"found\":\"missing\""
                                : there && repair_tells_different(files, source->table)
                                    ? ",\"found\":\"different\""
                                    : "");
    buffer_append_string(&line, ",\"source\":\"repair\"");
    if (spill_is_keyed(source)) {
        buffer_append_string(&line, ",\"key\":");
        buffer_append(&line, spill_key(source), source->key_length);
    }
    buffer_append_string(&line, ",\"record\":");
    buffer_append(&line, spill_record(source), source->record_length);
    buffer_append_string(&line, "}\n");
    files->write_count++;
    files->writes_of[source->table]++;
    return inserts ? put_line(files->inserts, files->insert_path, &line, error)
                   : put_line(files->writes, files->write_path, &line, error);
}

static enum status put_extra(struct repair_files *files, const struct spill_head *head,
                             struct error *error)
{
    struct buffer line = {0};
    if (files->extras == NULL && (files->extras = repair_create(files->extra_path)) == NULL) {
        return repair_cant_write(files->extra_path, error);
    }
    append_key(files, head, &line);
    return put_line(files->extras, files->extra_path, &line, error);
}

enum status repair_delete(struct repair_files *files, const struct spill_head *target,
                          struct error *error)
{
    const struct verify *verify = files->verify;
    bool keyless = verify->tables[target->table].plan->target.key.count > 0 &&
                   memcmp(&target->key, &target->hash, sizeof(target->key)) == 0;
    if (!keyless && repair_tells_different(files, target->table) &&
        put_extra(files, target, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* by a key with NULL in it no record is found, or others with it */
    if (!verify->options.delete_extra || keyless) {
        files->left_count++;
        return STATUS_OK;
    }
    return put_key(files, target, error);
}

enum status repair_clear_key(struct repair_files *files, const struct spill_head *head,
                             struct error *error)
{
    return put_key(files, head, error);
}

/* ---------------------------------------------------------------- the run */

static enum status repair_refuse(const struct verify *verify, uint32_t table, const char *why,
                                 struct error *error)
{
    error_set(error, ERROR_NOT_REPAIRABLE, verify->tables[table].plan->target.name,
              "the differences can't be repaired: %s", why);
    return error_hint(error, "nothing was changed; migrate this table again into an empty target");
}

/* Before anything is written: does the table still take the plan's records, and may they be taken
 * out? */
static enum status check_table(const struct repair_files *files, uint32_t table,
                               struct error *error)
{
    const struct verify *verify = files->verify;
    const struct plan_table *planned = verify->tables[table].plan;
    struct database *target = verify->session->target;
    struct buffer why = {0};
    const struct shape **shapes = arena_allocate_zeroed(verify->arena, planned->entity_count + 1u,
                                                        sizeof(const struct shape *));
    for (uint32_t i = 0; i < planned->entity_count; i++) {
        shapes[i] = verify->entities[planned->entities[i]].plan->shape;
    }
    const struct check_request request = {
        .table = &planned->target,
        .shapes = shapes,
        .shape_count = files->writes_of[table] > 0 ? planned->entity_count : 0,
        .triggers_off = true,
        .repairs = true,
        .loses_records = files->deletes_of[table] > 0};
    enum status status = target->connector->target->check_table(target, &request, &why, error);
    if (status == STATUS_OK && why.length > 0) {
        const char *line = buffer_string(&why);
        why.data[strcspn(line, "\n")] = '\0';
        status = repair_refuse(verify, table, line, error);
        error_hint(error, "nothing was changed; put that right in the target, and say it again");
    }
    buffer_free(&why);
    return status;
}

enum status repair_files_check(const struct repair_files *files, struct error *error)
{
    const struct verify *verify = files->verify;
    const struct database *target = verify->session->target;
    bool deletes = target->connector->target->delete_records != NULL;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        if (files->deletes_of[i] > 0 && !deletes) {
            return repair_refuse(verify, i, "this target takes no records out", error);
        }
        if (files->deletes_of[i] > 0 && verify->tables[i].plan->target.key.count == 0 &&
            (target->capabilities & CAPABILITY_TRANSACTIONS) == 0) {
            return repair_refuse(verify, i,
                                 "without a key it takes a transaction, and there is none", error);
        }
        if (files->deletes_of[i] + files->writes_of[i] > 0 &&
            check_table(files, i, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* A session of its own: the one that compared may not write, and holds a snapshot. */
enum status verify_repair(struct run_session *session, struct verify_result *result,
                          struct error *error)
{
    struct run_options options = session->options;
    struct run_session *writing = NULL;
    struct buffer faults = {0};
    options.sides.source_uri = session->source_uri->text;
    options.sides.target_uri = session->target_uri->text;
    options.validating = false;
    options.repair.is_repair = true;
    options.repair.of_run = result->run_id;
    options.making.no_express = true;
    options.repair.made = result->made;
    options.repair.write_hash = result->write_hash;
    options.repair.delete_hash = result->delete_hash;
    options.repair.file = arena_format(session->arena, "%s/repair.jsonl", session->state_path);
    result->enforces_keys = (session->target->capabilities & CAPABILITY_KEY_ENFORCED) != 0;
    session_leave_target(session);
    enum status status = run_open(&options, &writing, &faults, error);
    status = status == STATUS_OK ? run_migrate(writing, &result->repair, error) : status;
    buffer_free(&faults);
    result->repair.progress = NULL; /* it goes with its session */
    result->repair.rejects_folder = NULL;
    run_close(writing);
    result->repaired = status == STATUS_OK;
    return status;
}
