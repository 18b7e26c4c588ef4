/* Chooses rows, and then whatever they refer to. All of it is SQL over hashes. */
#include "engine/subset/subset_parts.h"
#include <inttypes.h>

/* ---------------------------------------------------------------- from one table */

/* Are all that it refers to, but itself, chosen from? */
static bool is_ready(const struct subset *subset, const struct subset_node *node)
{
    for (uint32_t i = 0; i < node->reference_count; i++) {
        const struct subset_node *partner = &subset->nodes[node->references[i].node];
        if (partner != node && !partner->chosen_from) {
            return false;
        }
    }
    return true;
}

/* "f0 IN (the chosen ones of its partner)" */
static void append_has_partner(const struct subset_reference *reference, uint32_t number,
                               struct buffer *sql)
{
    if (reference->alternative < 0) {
        buffer_format(sql, "f%u IN (SELECT h FROM c%u)", (unsigned)number,
                      (unsigned)reference->node);
    } else {
        buffer_format(sql, "f%u IN (SELECT p.u%d FROM c%u c JOIN t%u p ON p.h = c.h)",
                      (unsigned)number, (int)reference->alternative, (unsigned)reference->node,
                      (unsigned)reference->node);
    }
}

/* Does the reference count, when it is chosen from this table? */
static bool counts(const struct subset *subset, const struct subset_node *node, uint32_t number)
{
    const struct subset_node *partner = &subset->nodes[node->references[number].node];
    return partner != node && partner->chosen_from;
}

/* `all`: all partners that it has are chosen; else at least one is. */
static void append_condition(const struct subset *subset, const struct subset_node *node, bool all,
                             struct buffer *sql)
{
    const char *joint = "";
    for (uint32_t i = 0; i < node->reference_count; i++) {
        if (!counts(subset, node, i)) {
            continue;
        }
        buffer_format(sql, "%s(", joint);
        if (all) {
            buffer_format(sql, "f%u IS NULL OR ", (unsigned)i);
        }
        append_has_partner(&node->references[i], i, sql);
        buffer_append_byte(sql, ')');
        joint = all ? " AND " : " OR ";
    }
    if (joint[0] == '\0') {
        buffer_append_string(sql, "1");
    }
}

static enum status subset_choose_add(const struct subset *subset, const struct spill_file *file,
                                     uint32_t number, bool all, uint64_t most, struct error *error)
{
    struct buffer sql = {0};
    buffer_format(
        &sql,
        "INSERT OR IGNORE INTO c%u SELECT h FROM t%u WHERE h NOT IN (SELECT h FROM c%u) AND (",
        (unsigned)number, (unsigned)number, (unsigned)number);
    append_condition(subset, &subset->nodes[number], all, &sql);
    buffer_format(&sql, ") ORDER BY h LIMIT %" PRIu64, most);
    enum status status = spill_file_execute(file, buffer_string(&sql), error);
    buffer_free(&sql);
    return status;
}

static enum status choose_from(struct subset *subset, const struct spill_file *file,
                               uint32_t number, struct error *error)
{
    struct subset_node *node = &subset->nodes[number];
    uint64_t most = subset->options.rows < INT64_MAX ? subset->options.rows : INT64_MAX;
    bool refers = false;
    enum status status = subset_choose_add(subset, file, number, true, most, error);
    node->count.chosen = status == STATUS_OK ? (uint64_t)sqlite3_changes64(file->connection) : 0;
    for (uint32_t i = 0; i < node->reference_count; i++) {
        refers = refers || counts(subset, node, i);
    }
    if (status == STATUS_OK && refers && node->count.chosen < most) {
        status = subset_choose_add(subset, file, number, false, most - node->count.chosen, error);
        node->count.chosen +=
            status == STATUS_OK ? (uint64_t)sqlite3_changes64(file->connection) : 0;
    }
    node->chosen_from = true;
    return status;
}

/* Partners first; within a circle the first of the plan. */
static enum status choose_from_all(struct subset *subset, const struct spill_file *file,
                                   struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t left = subset->node_count; status == STATUS_OK && left > 0; left--) {
        uint32_t next = subset->node_count;
        uint32_t first = subset->node_count;
        for (uint32_t i = 0; i < subset->node_count && next == subset->node_count; i++) {
            if (!subset->nodes[i].chosen_from) {
                first = first == subset->node_count ? i : first;
                next = is_ready(subset, &subset->nodes[i]) ? i : next;
            }
        }
        status = choose_from(subset, file, next < subset->node_count ? next : first, error);
    }
    return status;
}

/* ---------------------------------------------------------------- partners */

static enum status add_partners(const struct subset *subset, const struct spill_file *file,
                                uint32_t number, struct error *error)
{
    const struct subset_node *node = &subset->nodes[number];
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < node->reference_count; i++) {
        const struct subset_reference *reference = &node->references[i];
        struct buffer sql = {0};
        buffer_format(
            &sql,
            "INSERT OR IGNORE INTO x%u SELECT p.h FROM w%u w JOIN t%u t ON t.h = w.h JOIN "
            "t%u p ON p.",
            (unsigned)reference->node, (unsigned)number, (unsigned)number,
            (unsigned)reference->node);
        if (reference->alternative < 0) {
            buffer_append_byte(&sql, 'h');
        } else {
            buffer_format(&sql, "u%d", (int)reference->alternative);
        }
        buffer_format(&sql, " = t.f%u WHERE p.h NOT IN (SELECT h FROM c%u)", (unsigned)i,
                      (unsigned)reference->node);
        status = spill_file_execute(file, buffer_string(&sql), error);
        buffer_free(&sql);
    }
    return status;
}

/* Rows that were found become chosen, and are looked from next. */
static enum status take_found(struct subset *subset, const struct spill_file *file, uint32_t number,
                              uint64_t *found, struct error *error)
{
    struct buffer sql = {0};
    unsigned n = (unsigned)number;
    buffer_format(&sql,
                  "DELETE FROM w%u; INSERT INTO w%u SELECT h FROM x%u; DELETE FROM x%u;"
                  "INSERT INTO c%u SELECT h FROM w%u",
                  n, n, n, n, n, n);
    enum status status = spill_file_execute(file, buffer_string(&sql), error);
    buffer_free(&sql);
    if (status == STATUS_OK) {
        uint64_t taken = (uint64_t)sqlite3_changes64(file->connection);
        subset->nodes[number].count.partners += taken;
        *found += taken;
    }
    return status;
}

static enum status begin_looking(const struct subset *subset, const struct spill_file *file,
                                 struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < subset->node_count; i++) {
        struct buffer sql = {0};
        buffer_format(&sql, "INSERT INTO w%u SELECT h FROM c%u", (unsigned)i, (unsigned)i);
        status = spill_file_execute(file, buffer_string(&sql), error);
        buffer_free(&sql);
    }
    return status;
}

enum status subset_choose(struct subset *subset, const struct spill_file *file, struct error *error)
{
    uint64_t found = 1;
    enum status status = choose_from_all(subset, file, error);
    status = status == STATUS_OK ? begin_looking(subset, file, error) : status;
    while (status == STATUS_OK && found > 0) {
        found = 0;
        for (uint32_t i = 0; status == STATUS_OK && i < subset->node_count; i++) {
            status = add_partners(subset, file, i, error);
        }
        for (uint32_t i = 0; status == STATUS_OK && i < subset->node_count; i++) {
            status = take_found(subset, file, i, &found, error);
        }
    }
    return status;
}
