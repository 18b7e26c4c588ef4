/* The file beside a migration, VERSION_NAME.checks.yaml: its checks, for files whose language has
 * no comments, or when there are many.
 *
 *   before:
 *     - null users.email
 *   after:
 *     - rows users unchanged
 */
#include "base/file.h"
#include "base/trust.h"
#include "evolve/folder/folder.h"
#include "plan/text/tree.h"
#include <string.h>

static void read_list(struct migration_reader *reader, const struct plan_node *list, bool after,
                      const char *path, struct migration_text *into)
{
    struct migration_options *options = &into->options;
    uint32_t *count = after ? &options->after_count : &options->before_count;
    const struct schema_check **checks = after ? &options->after : &options->before;
    if (list->kind != PLAN_NODE_LIST) {
        plan_fault(reader->faults, ERROR_MIGRATION_INVALID, list, NULL,
                   "a list of checks is expected here");
        return;
    }
    struct schema_check *all =
        arena_allocate_zeroed(reader->arena, *count + list->count, sizeof(*all));
    if (*count > 0) {
        memcpy(all, *checks, *count * sizeof(*all));
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const struct plan_node *node = list->items[i];
        const char *text = plan_node_text(node);
        struct schema_check *check = &all[*count];
        struct error error = {0};
        if (text == NULL) {
            plan_fault(reader->faults, ERROR_MIGRATION_INVALID, node, NULL,
                       "a check is one text, such as `null users.email`");
        } else if (check_parse(text, strlen(text), reader->arena, check, &error) != STATUS_OK) {
            plan_fault(reader->faults, ERROR_MIGRATION_INVALID, node, NULL, "%s", error.message);
        } else if (!after && check->relation == CHECK_UNCHANGED) {
            plan_fault(reader->faults, ERROR_MIGRATION_INVALID, node, NULL,
                       "only a check of `after` can say unchanged");
        } else {
            check->file = path;
            check->line = node->line;
            ++*count;
        }
    }
    *checks = all;
}

enum status migration_read_checks(struct migration_reader *reader, const char *name,
                                  struct migration_text *into, struct error *error)
{
    const char *path = file_join(reader->arena, reader->folder, name);
    char *text;
    size_t length;
    enum status status =
        migration_read_bytes(reader, path, PLAN_TEXT_BYTES_MAX, &text, &length, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : trust_recode(error, ERROR_FILE_READ);
    }
    reader->faults->file = path;
    const struct plan_node *root = plan_tree_read(text, length, reader->arena, reader->faults);
    if (root == NULL || root->kind != PLAN_NODE_MAP) {
        if (root != NULL && !plan_node_is_null(root)) {
            plan_fault(reader->faults, ERROR_MIGRATION_INVALID, root, NULL,
                       "it is a map of `before` and `after`");
        }
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < root->count; i++) {
        bool after = strcmp(root->keys[i]->text, "after") == 0;
        if (after || strcmp(root->keys[i]->text, "before") == 0) {
            read_list(reader, root->items[i], after, path, into);
        } else {
            plan_fault(reader->faults, ERROR_MIGRATION_INVALID, root->keys[i],
                       "known are before and after", "there is no '%s' here", root->keys[i]->text);
        }
    }
    return STATUS_OK;
}
