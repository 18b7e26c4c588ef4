/* Reads what the copy rejected, record by record, from the reject files in the state folder. */
#include "base/file.h"
#include "base/text.h"
#include "engine/formats/mended_line.h"
#include "engine/rejects/reject_book_internal.h"
#include "engine/rejects/reject_heads.h"
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096, COPIED_KEY_MAX = 64 };

/* The id of a line's record. Of what was settled the key is the target's, which the loser of two
 * equal ones shares with the winner. */
static struct reject_id id_of_line(const struct mended_line *mended, const struct cell *row,
                                   uint32_t width, bool settled)
{
    struct reject_id none = {0};
    struct cell key[COPIED_KEY_MAX];
    const struct cell *map = &row[width];
    if (map->kind != VALUE_MAP || map->length == 0 || map->length > COPIED_KEY_MAX ||
        (settled && mended->code == ERROR_REJECT_KEY_DUPLICATE)) {
        return none;
    }
    for (uint32_t i = 0; i < map->length; i++) {
        key[i] = map->items[2 * (size_t)i + 1];
    }
    return settled ? reject_id_of_target(mended->entity, key, map->length)
                   : reject_id_of_source(mended->entity, key, NULL, map->length);
}

static void add_item(struct reject_book *book, const struct mended_line *mended,
                     const struct reject_id *id, const char *reason)
{
    pthread_mutex_lock(&book->mutex);
    bool wanted = id->kind != 0 && !book->copy_is_void[mended->entity];
    struct book_item *item =
        wanted && book_find(book, id) == NULL ? book_add(book, id, mended->entity) : NULL;
    if (item != NULL) {
        item->code = mended->code;
        item->copied = true;
        item->counted = true;
        book_count(book, item, 1);
        book_keep_reason(book, mended->entity, mended->code, reason);
    }
    pthread_mutex_unlock(&book->mutex);
}

/* A line that can't be made out says of no record that it is a reject: its count stands. */
static enum status take_line(struct reject_book *book, const char *line, size_t length,
                             bool settled, struct error *error)
{
    const struct plan *plan = book->run->session->plan;
    char run_id[MENDED_RUN_BYTES];
    struct mended_line mended;
    struct error why = {0};
    if (mended_line_run(line, length, run_id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (strcmp(run_id, book->run->id) != 0 ||
        mended_line_scan(plan, line, length, &mended, &why) != STATUS_OK) {
        return STATUS_OK;
    }
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[mended.entity]);
    uint32_t width = batch_shape_width(shape);
    struct batch *batch = batch_create(shape, width + MENDED_EXTRA_CELLS, 1);
    bool complete;
    if (mended_line_append_known(line, length, batch, &complete, &why) == STATUS_OK) {
        const struct reject_id id = id_of_line(&mended, batch_row(batch, 0), width, settled);
        struct arena *arena = arena_create(1024);
        add_item(book, &mended, &id, mended_line_reason(line, length, arena));
        arena_destroy(arena);
    }
    batch_destroy(batch);
    return STATUS_OK;
}

static enum status take_file(struct reject_book *book, const char *path, bool settled,
                             struct error *error)
{
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    while (status == STATUS_OK && book->item_count < BOOK_ITEMS_MAX &&
           (status = reject_heads_next(&lines, error)) == STATUS_OK) {
        status = take_line(book, lines.line, lines.length, settled, error);
    }
    file_lines_close(&lines);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status reject_book_read_copied(struct reject_book *book, struct error *error)
{
    static const char settled_name[] = "settled.jsonl";
    const char *folder = book->run->folder.rejects;
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, folder, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        char path[PATH_BYTES];
        bool settled = strcmp(name, settled_name) == 0;
        bool of_chunk = text_ends_with(name, ".jsonl") && name[0] >= '0' && name[0] <= '9';
        if (settled || of_chunk) {
            snprintf(path, sizeof path, "%s/%s", folder, name);
            status = take_file(book, path, settled, error);
        }
    }
    entries_close(&entries);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
