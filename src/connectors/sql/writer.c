/* The open chunk of a writer, and its batches. */
#include "connectors/sql/writer.h"
#include "base/memory.h"
#include <stdlib.h>

struct sql_writer sql_writer_make(const struct sql_database *database)
{
    return (struct sql_writer){
        .arena = arena_create(0),
        .scratch = arena_create(0),
        .shown = database->shown,
        .run_id = memory_copy_string(database->run_id != NULL ? database->run_id : ""),
    };
}

void sql_writer_free(struct sql_writer *writer)
{
    buffer_free(&writer->taken);
    arena_destroy(writer->arena);
    arena_destroy(writer->scratch);
    free(writer->run_id);
}

enum status sql_writer_begin_chunk(struct sql_writer *writer, uint64_t chunk, struct error *error)
{
    if (writer->chunk != 0) {
        return error_set(error, ERROR_INTERNAL, writer->shown,
                         "a chunk was begun while another one is open");
    }
    writer->chunk = chunk;
    return STATUS_OK;
}

enum status sql_writer_check_batch(const struct sql_writer *writer, uint64_t chunk,
                                   struct batch *batch, struct error *error)
{
    if (chunk == writer->chunk) {
        return STATUS_OK;
    }
    batch_destroy(batch);
    return error_set(error, ERROR_INTERNAL, writer->shown, "a batch of a chunk that is not open");
}

void sql_writer_poll(struct sql_writer *writer, struct batch_result *result)
{
    struct sql_held *held = writer->done.first;
    writer->done.first = held->next;
    writer->done.last = held->next != NULL ? writer->done.last : NULL;
    *result = (struct batch_result){
        .chunk = writer->chunk,
        .table = held->table,
        .batch = held->batch,
        .bytes = held->bytes,
    };
    sql_outcomes_tell(&held->outcomes, result);
    free(held);
}

/* ---------------------------------------------------------------- batches */

struct sql_held *sql_held_add(struct sql_held_list *list, uint32_t table, struct batch *batch)
{
    struct sql_held *made = memory_allocate_zeroed(1, sizeof *made);
    made->batch = batch;
    made->table = table;
    sql_held_append(list, made);
    return made;
}

void sql_held_append(struct sql_held_list *list, struct sql_held *held)
{
    if (list->last == NULL) {
        list->first = held;
    } else {
        list->last->next = held;
    }
    list->last = held;
    list->bytes += batch_bytes(held->batch);
}

void sql_held_move(struct sql_held_list *from, struct sql_held_list *to)
{
    if (from->first == NULL) {
        return;
    }
    if (to->first == NULL) {
        to->first = from->first;
    } else {
        to->last->next = from->first;
    }
    to->last = from->last;
    *from = (struct sql_held_list){0};
}

void sql_held_free(struct sql_held_list *list)
{
    for (struct sql_held *held = list->first; held != NULL;) {
        struct sql_held *next = held->next;
        batch_destroy(held->batch);
        arena_destroy(held->outcomes.arena);
        free(held);
        held = next;
    }
    *list = (struct sql_held_list){0};
}

enum status sql_held_refuse(struct sql_held *held, uint32_t row, enum outcome_kind kind,
                            enum error_code code, const char *reason, struct error *error)
{
    return sql_outcomes_note(
        &held->outcomes, held->batch->row_count,
        (struct record_outcome){.row = row, .kind = kind, .code = code, .reason = reason}, error);
}
