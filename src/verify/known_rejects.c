/* Records that the run is known to have rejected: they are missing for that reason, and told apart
 * from those that are missing for none. A repair tries them again, so that it takes them for
 * missing as all others. */
#include "verify/verify_internal.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/formats/mended_line.h"
#include "engine/ledger/json_text.h"
#include <errno.h>
#include <stdio.h>

struct feeding {
    struct pass *pass;
    struct former former;
};

/* A record that can't be made out is of no use here; it may be for want of memory only. */
static enum status leave_line(const struct error *why, struct error *error)
{
    if (why->code == ERROR_MEMORY) {
        return error_copy(error, why);
    }
    return STATUS_OK;
}

/* A line whose record was lost (it was overwritten, or too large to keep) is of no use here; one
 * whose record lacks values was refused by the mapping, and tells the key alone. */
static enum status feed_line(struct feeding *feeding, const char *line, size_t length,
                             struct error *error)
{
    const struct verify *verify = feeding->pass->verify;
    struct mended_line mended;
    struct error why;
    if (mended_line_scan(verify->session->plan, line, length, &mended, &why) != STATUS_OK) {
        return leave_line(&why, error);
    }
    const struct verify_entity *entity = &verify->entities[mended.entity];
    const struct shape *shape = plan_entity_batch_shape(entity->plan);
    struct batch *batch = batch_create(shape, batch_shape_width(shape) + MENDED_EXTRA_CELLS, 1);
    enum status status = STATUS_OK;
    bool complete;
    if (mended_line_append_known(line, length, batch, &complete, &why) != STATUS_OK) {
        status = leave_line(&why, error);
    } else if (complete) {
        status = pass_take_reject(feeding->pass, &feeding->former, mended.entity, mended.code,
                                  &entity->form, batch_row(batch, 0), error);
    } else {
        status = pass_take_refused(feeding->pass, &feeding->former, mended.entity, &entity->form,
                                   batch_row(batch, 0), error);
    }
    batch_destroy(batch);
    return status;
}

static enum status feed_file(struct feeding *feeding, const char *path, struct error *error)
{
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status == STATUS_END) { /* the folder has it: gone meanwhile, or a link to nowhere */
        return error_set_errno(error, ERROR_STATE_INVALID, ENOENT, path, "can't read the rejects");
    }
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && (status = file_lines_next(&lines, error)) == STATUS_OK) {
        status = feed_line(feeding, lines.line, lines.length, error);
    }
    file_lines_close(&lines);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status feed_folder(struct feeding *feeding, const char *folder, struct error *error)
{
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, folder, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        char path[4096];
        if (text_ends_with(name, ".jsonl")) {
            snprintf(path, sizeof(path), "%s/%s", folder, name);
            status = feed_file(feeding, path, error);
        }
    }
    entries_close(&entries);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status known_rejects_feed(struct pass *pass, struct error *error)
{
    struct verify *verify = pass->verify;
    struct feeding feeding = {.pass = pass};
    if (verify->rejects_folder == NULL) {
        return STATUS_OK;
    }
    former_init(&feeding.former, verify->session->target);
    enum status status = feed_folder(&feeding, verify->rejects_folder, error);
    former_free(&feeding.former);
    return status;
}
