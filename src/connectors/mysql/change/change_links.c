/*
 * Foreign keys that a change adds and drops. One is added without a look at the rows, which takes
 * no time and shuts nobody out; from then on writes have to fit. Rows that were there are looked at
 * behind it, and one that refers to nothing keeps the change from going on.
 */
#include "connectors/mysql/change/change.h"
#include <string.h>
#include <strings.h>

bool mysql_change_is_unlinked(const struct mysql_change_set *set, const char *name)
{
    for (uint32_t i = 0; i < set->unlinked_count; i++) {
        if (strcasecmp(set->unlinked[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *link_stands(struct mysql_change_plan *plan, const char *table, const char *name,
                               const char *count)
{
    return mysql_change_text(
        plan,
        mysql_sql("SELECT count(*) = %s FROM information_schema.referential_constraints WHERE "
                  "constraint_schema = %q AND table_name = %q AND constraint_name = %q",
                  count, plan->session->database->sql.schema, table, name));
}

/* A variable can't be set to two rows. */
static const char *orphan_check(struct mysql_change_plan *plan, const struct mysql_change_set *set,
                                const struct mysql_change_link *link)
{
    struct buffer sql = {0};
    mysql_append(
        &sql,
        "SET @_transhume_orphans = (SELECT 1 UNION ALL (SELECT 2 FROM %n AS t LEFT JOIN %n "
        "AS p ON ",
        set->table, link->parent);
    sql_shadow_append_same(&sql, &link->columns, &link->parent_columns);
    buffer_format(&sql, " WHERE %s IS NULL", link->parent_columns.items[0]);
    for (uint32_t i = 0; i < link->columns.count; i++) {
        buffer_format(&sql, " AND %s IS NOT NULL", link->columns.items[i]);
    }
    buffer_append_string(&sql, " LIMIT 1))");
    return mysql_change_text(plan, &sql);
}

static void plan_link(struct mysql_change_plan *plan, const struct mysql_change_set *set,
                      const struct mysql_change_link *link)
{
    struct buffer sql = {0};
    struct buffer undo = {0};
    mysql_append(&sql, "ALTER TABLE %n ADD %s, ALGORITHM=INPLACE, LOCK=NONE", set->table,
                 link->clause);
    mysql_append(&undo, "ALTER TABLE %n DROP FOREIGN KEY %n", set->table, link->name);
    mysql_change_add(
        plan, &(struct change_step){.phase = CHANGE_EXPAND,
                                    .operation = set->operation,
                                    .title = arena_format(plan->arena, "foreign key %s of %s",
                                                          link->name, set->table),
                                    .text = mysql_change_text(plan, &sql),
                                    .undo = mysql_change_text(plan, &undo),
                                    .stands = link_stands(plan, set->table, link->name, "1"),
                                    .settings = "SET SESSION foreign_key_checks = 0",
                                    .lock = ALTER_LOCK_NONE});
    mysql_change_add(plan,
                     &(struct change_step){
                         .phase = CHANGE_PROVE,
                         .operation = set->operation,
                         .title = arena_format(plan->arena,
                                               "each row of %s refers to one of %s, by %s (else: "
                                               "more than 1 row)",
                                               set->table, link->parent, link->name),
                         .text = orphan_check(plan, set, link)});
}

void mysql_change_plan_links(struct mysql_change_plan *plan, const struct mysql_change_set *set)
{
    for (uint32_t i = 0; i < set->unlinked_count; i++) {
        struct buffer sql = {0};
        mysql_append(&sql, "ALTER TABLE %n DROP FOREIGN KEY %n", set->table, set->unlinked[i]);
        mysql_change_add(plan, &(struct change_step){
                                   .phase = CHANGE_CONTRACT,
                                   .operation = set->operation,
                                   .title = arena_format(plan->arena, "drop foreign key %s of %s",
                                                         set->unlinked[i], set->table),
                                   .text = mysql_change_text(plan, &sql),
                                   .stands = link_stands(plan, set->table, set->unlinked[i], "0"),
                                   .lock = ALTER_LOCK_ALL});
    }
    for (uint32_t i = 0; i < set->link_count; i++) {
        plan_link(plan, set, &set->links[i]);
    }
    if (set->link_count + set->unlinked_count > 0) {
        static const char added[] =
            "foreign keys in place: added without a look at the rows, which are looked at behind it";
        static const char dropped[] = "foreign keys dropped when the change is completed";
        const char *text = set->unlinked_count == 0 ? added
                           : set->link_count == 0
                               ? dropped
                               : arena_format(plan->arena, "%s; %s", added, dropped);
        mysql_change_tell(plan, set->operation, text, NULL);
    }
}
