/*
 * The form of a file:
 *
 *   version_schema: orders_by_status     # optional: where applications of the new version look
 *   operations:
 *     - add_column: { table: orders, column: { name: status, type: text }, up: "'open'" }
 */
#include "evolve/change/file.h"

#include "base/text.h"
#include "base/trust.h"
#include "evolve/change/grammar.h"
#include "evolve/folder/version.h"
#include <string.h>

/* "007_split_name.change.yaml" into version and name. */
static void take_name(const char *path, struct arena *arena, struct change_file *file,
                      struct plan_faults *faults)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t length = strlen(name);
    size_t version = migration_version_length(name);
    bool ends = text_ends_with(name, MIGRATION_CHANGE_ENDING);
    length = ends ? length - strlen(MIGRATION_CHANGE_ENDING) : length;
    if (!ends || version == 0 || version >= length || name[version] != '_') {
        plan_fault_at(faults, ERROR_CHANGE_INVALID, 1, 1, "007_what.change.yaml",
                      "its name has no version, or another ending");
        return;
    }
    file->change.version = arena_copy(arena, name, version);
    file->change.name = arena_copy(arena, name + version + 1, length - version - 1);
}

static void read_operations(const struct plan_node *list, struct arena *arena,
                            struct change *change, struct plan_faults *faults)
{
    if (list == NULL || list->kind != PLAN_NODE_LIST || list->count == 0 ||
        list->count > CHANGE_OPERATIONS_MAX) {
        plan_fault(faults, ERROR_CHANGE_INVALID, list, NULL,
                   "`operations` is a list of 1 to %d of them", (int)CHANGE_OPERATIONS_MAX);
        return;
    }
    struct change_operation *operations =
        arena_allocate_zeroed(arena, list->count, sizeof(*operations));
    for (uint32_t i = 0; i < list->count; i++) {
        change_read_operation(list->items[i], arena, &operations[i], faults);
    }
    change->operations = operations;
    change->count = list->count;
}

static void read_root(const struct plan_node *root, struct arena *arena, struct change *change,
                      struct plan_faults *faults)
{
    if (root->kind != PLAN_NODE_MAP) {
        plan_fault(faults, ERROR_CHANGE_INVALID, root, NULL, "it is a map with `operations`");
        return;
    }
    for (uint32_t i = 0; i < root->count; i++) {
        const char *key = root->keys[i]->text;
        if (strcmp(key, "version_schema") == 0) {
            const char *text = plan_node_text(root->items[i]);
            change->place = text == NULL ? NULL : arena_copy_string(arena, text);
        } else if (strcmp(key, "operations") != 0) {
            plan_fault(faults, ERROR_CHANGE_INVALID, root->keys[i],
                       "known are operations and version_schema", "there is no '%s' here", key);
        }
    }
    read_operations(plan_node_get(root, "operations"), arena, change, faults);
}

enum status change_file_parse(const char *text, size_t length, const char *name,
                              struct arena *arena, struct change_file *file,
                              struct plan_faults *faults, struct error *error)
{
    *file = (struct change_file){.path = arena_copy_string(arena, name)};
    faults->what = "change";
    take_name(name, arena, file, faults);
    migration_checksum(text, length, file->checksum);
    const struct plan_node *root = plan_tree_read(text, length, arena, faults);
    if (root != NULL) {
        read_root(root, arena, &file->change, faults);
    }
    if (plan_faults_result(faults, error) == STATUS_OK) {
        return STATUS_OK;
    }
    return error_recode(error, ERROR_CHANGE_INVALID);
}

enum status change_file_read(const char *path, struct arena *arena, struct change_file *file,
                             struct plan_faults *faults, struct error *error)
{
    char *text;
    size_t length;
    enum status status = trust_read_file(path, CHANGE_FILE_BYTES_MAX, arena, &text, &length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_USAGE, path, "there is no such file");
    }
    if (status != STATUS_OK) {
        return trust_recode(error, ERROR_FILE_READ);
    }
    return change_file_parse(text, length, path, arena, file, faults, error);
}
