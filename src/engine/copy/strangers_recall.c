/* Parents that differ, as rejects tell of them: records loaded again are not attached to them
 * either. */
#include "engine/copy/strangers_parts.h"

#include "base/file.h"
#include "engine/formats/mended_line.h"
#include "model/json_tree.h"
#include <string.h>

struct recall {
    struct strangers *strangers;
    uint32_t table; /* of the line's record */
};

static enum status take_parent(void *context, const struct mended_parent *parent,
                               struct error *error)
{
    struct recall *recall = context;
    struct strangers *strangers = recall->strangers;
    strangers_add_reference(strangers, recall->table, parent->columns, parent->table, parent->key);
    for (uint32_t i = 0; i < strangers->set_count; i++) {
        const struct stranger_set *set = &strangers->sets[i];
        if (strcmp(strangers->run->tables[set->table].name, parent->table) == 0 &&
            column_list_is_equal(set->columns, parent->key)) {
            return strangers_add(strangers, i, &parent->hash, true, error);
        }
    }
    return STATUS_OK;
}

enum status strangers_recall(struct strangers *strangers, struct error *error)
{
    const struct plan *plan = strangers->run->session->plan;
    struct recall recall = {.strangers = strangers};
    struct file_lines lines;
    enum status status =
        file_lines_open(&lines, strangers->run->folder.input_file, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = file_lines_next(&lines, error)) == STATUS_OK) {
        struct mended_line mended;
        status = mended_line_scan(plan, lines.line, lines.length, &mended, error);
        if (status == STATUS_OK && mended.parents_differ) {
            recall.table = plan->entities[mended.entity].table;
            status = mended_line_parents(lines.line, lines.length, strangers->arena, take_parent,
                                         &recall, error);
        }
    }
    file_lines_close(&lines);
    return status == STATUS_END ? strangers_flush(strangers, error) : STATUS_FAILED;
}
