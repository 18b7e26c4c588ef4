/* After all objects are made: their owners and grants, if they are carried. */
#include "connectors/postgres/rights.h"
#include "connectors/postgres/schema/objects.h"
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what the run makes */

static void add_made(struct postgres_carried *carried, const char *what, const char *name)
{
    carried->made = arena_make_room(carried->arena, carried->made, carried->made_count,
                                    &carried->made_capacity, sizeof *carried->made);
    carried->made[carried->made_count++] = (struct postgres_made){what, name};
}

/* As the ledger and prepare know it. */
static enum status list_made(struct postgres_carried *carried, const struct target_table *tables,
                             uint32_t table_count)
{
    struct postgres_database *self = carried->making.self;
    const struct postgres_parameter parameter = {.text = self->sql.run_id};
    for (uint32_t i = 0; i < table_count; i++) {
        if (tables[i].created) {
            add_made(carried, "table", tables[i].name);
        }
    }
    bool found = false;
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = postgres_objects_listed(self, carried->connection, &found, carried->error);
    if (status != STATUS_OK || !found) {
        return status;
    }
    status = postgres_catalog_query_buffer(
        self, carried->connection,
        postgres_sql("SELECT what, name FROM %t WHERE run = $1", &self->sql, "_transhume_object"),
        &parameter, 1, SQL_SHORT, ERROR_LEDGER_INVALID, &carried->listed, carried->error);
    for (int i = 0; status == STATUS_OK && i < PQntuples(carried->listed); i++) {
        add_made(carried, PQgetvalue(carried->listed, i, 0), PQgetvalue(carried->listed, i, 1));
    }
    return status;
}

/* As it will be. */
static void list_wanted(struct postgres_carried *carried)
{
    const struct schema *objects = carried->making.objects;
    const struct column_list others = carried->making.self->sql.base.scope.others;
    for (uint32_t i = 0; i < objects->table_count; i++) {
        if (postgres_catalog_find(carried->making.self->tables, objects->tables[i].name) == NULL) {
            add_made(carried, "table", objects->tables[i].name);
        }
    }
    for (uint32_t i = 0; i < objects->object_count; i++) {
        if (objects->objects[i].kind != SCHEMA_OBJECT_DETAIL &&
            objects->objects[i].native_sql != NULL) {
            add_made(carried, schema_object_word(&objects->objects[i]), objects->objects[i].name);
        }
    }
    for (uint32_t i = 0; i < others.count; i++) {
        add_made(carried, "schema", others.names[i]);
    }
}

/* ---------------------------------------------------------------- carrying */

/* Behind a savepoint; what the server refuses is left to do. Frees the buffer. */
static enum status run_right(struct postgres_carried *carried, uint32_t number, struct buffer *sql)
{
    struct postgres_database *self = carried->making.self;
    struct error problem = {0};
    enum status status = postgres_execute(self, carried->connection, "SAVEPOINT transhume_right",
                                          SQL_SHORT, ERROR_TARGET_SCHEMA, carried->error);
    if (status == STATUS_OK) {
        status = postgres_execute(self, carried->connection, buffer_string(sql), SQL_BUILD,
                                  ERROR_TARGET_SCHEMA, &problem);
        carried->done[number] = status == STATUS_OK;
        if (status != STATUS_OK &&
            (problem.class == ERROR_CLASS_RETRY || problem.code == ERROR_INTERRUPTED ||
             PQstatus(carried->connection) != CONNECTION_OK)) {
            error_copy(carried->error, &problem);
        } else {
            if (status != STATUS_OK) {
                carried->why[number] = arena_copy_string(carried->arena, problem.message);
            }
            status = postgres_execute(self, carried->connection,
                                      status == STATUS_OK
                                          ? "RELEASE SAVEPOINT transhume_right"
                                          : "ROLLBACK TO SAVEPOINT transhume_right; RELEASE "
                                            "SAVEPOINT transhume_right",
                                      SQL_SHORT, ERROR_TARGET_SCHEMA, carried->error);
        }
    }
    buffer_free(sql);
    return status;
}

/* Before anything is made, what can be expected to work counts as done. */
static enum status carry(struct postgres_carried *carried, uint32_t number, struct buffer *sql)
{
    if (carried->ahead) {
        carried->done[number] = true;
        buffer_free(sql);
        return STATUS_OK;
    }
    return run_right(carried, number, sql);
}

static enum status carry_owner(struct postgres_carried *carried, uint32_t number)
{
    const struct schema_right *right = &carried->making.objects->rights[number];
    const struct postgres_roles *roles = &carried->making.roles;
    struct buffer sql = {0};
    if (strcmp(right->role, roles->account) == 0) {
        carried->done[number] = true;
        return STATUS_OK;
    }
    if (!postgres_may_give(roles, right->role)) {
        return STATUS_OK;
    }
    postgres_append_owner_change(&sql, right);
    return carry(carried, number, &sql);
}

static enum status carry_grant(struct postgres_carried *carried, uint32_t number)
{
    const struct schema_right *right = &carried->making.objects->rights[number];
    struct buffer sql = {0};
    if ((right->role != NULL && !postgres_has_role(&carried->making.roles, right->role)) ||
        postgres_is_withheld(carried, right)) {
        return STATUS_OK;
    }
    postgres_append_grant(&sql, right, right->words);
    return carry(carried, number, &sql);
}

/* Where who copies is a superuser: another one may have it from its owner, and has yet to count and
 * to follow. */
static enum status carry_lack(struct postgres_carried *carried, uint32_t number)
{
    const struct schema_right *right = &carried->making.objects->rights[number];
    const struct schema_right *owner = postgres_right_owner(carried, right);
    struct buffer sql = {0};
    if (!carried->making.roles.is_superuser || owner == NULL ||
        !carried->done[postgres_right_number(carried, owner)]) {
        return STATUS_OK;
    }
    postgres_append_revoke(&sql, right, right->words);
    return carry(carried, number, &sql);
}

/* A view reads as its owner again, once that one and the owners of what it reads through are the
 * source's. */
static enum status carry_view(struct postgres_carried *carried, uint32_t number)
{
    const struct schema_right *right = &carried->making.objects->rights[number];
    const struct schema_right *owner = postgres_right_owner(carried, right);
    if (strcmp(right->what, "view") != 0 ||
        carried->making.self->server_version < POSTGRES_INVOKER_VERSION ||
        !postgres_does_more(&carried->making.roles, right) ||
        !postgres_owner_is_right(carried, right) ||
        strcmp(right->role, carried->making.roles.account) == 0 || owner == NULL) {
        return STATUS_OK;
    }
    return carry(carried, number, postgres_sql("ALTER %s RESET (security_invoker)", right->called));
}

/* A materialized view that was made empty gets what its owner may read. A session's row_security is
 * off, which would refuse what row security holds back. */
static enum status carry_records(struct postgres_carried *carried, uint32_t number)
{
    const struct schema_right *right = &carried->making.objects->rights[number];
    if (strcmp(right->what, "materialized view") != 0 ||
        !postgres_does_more(&carried->making.roles, right) ||
        !postgres_owner_is_right(carried, right)) {
        return STATUS_OK;
    }
    return carry(
        carried, number,
        postgres_sql("SET LOCAL row_security = on; REFRESH %s; SET LOCAL row_security = off",
                     right->called));
}

static enum status carry_each(struct postgres_carried *carried, const char *kind,
                              enum status (*one)(struct postgres_carried *carried, uint32_t number))
{
    const struct schema *objects = carried->making.objects;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < objects->right_count; i++) {
        const struct schema_right *right = &objects->rights[i];
        if (strcmp(right->kind, kind) == 0 && postgres_is_made(carried, right)) {
            status = one(carried, i);
        }
    }
    return status;
}

static enum status carry_all(struct postgres_carried *carried)
{
    enum status status = carry_each(carried, "owner", carry_owner);
    status = status == STATUS_OK ? carry_each(carried, "reads", carry_view) : status;
    status = status == STATUS_OK ? carry_each(carried, "grant", carry_grant) : status;
    status = status == STATUS_OK ? carry_each(carried, "reads", carry_records) : status;
    return status == STATUS_OK ? carry_each(carried, "lacks", carry_lack) : status;
}

/* ---------------------------------------------------------------- both */

/* Without the line of the word that this server does not know. */
static const char *without_maintain(const char *words, struct arena *arena)
{
    static const char maintain[] = "MAINTAIN";
    struct buffer known = {0};
    for (const char *at = words; *at != '\0';) {
        size_t end = strcspn(at, "\n");
        if (strncmp(at, maintain, sizeof maintain - 1) != 0) {
            buffer_append_string(&known, known.length > 0 ? "\n" : "");
            buffer_append(&known, at, end);
        }
        at += end + (at[end] == '\n');
    }
    return sql_text(arena, &known);
}

/* The source's, as far as this server has the like: from PostgreSQL 17 on there is one more right
 * to a table. */
static void know_rights(struct postgres_carried *carried, struct schema *known)
{
    enum { VERSION_17 = 170000 };
    const struct schema *objects = carried->making.objects;
    if (carried->making.self->server_version >= VERSION_17) {
        return;
    }
    struct schema_right *rights =
        arena_allocate_zeroed(carried->arena, (size_t)objects->right_count + 1, sizeof *rights);
    *known = *objects;
    known->right_count = 0;
    for (uint32_t i = 0; i < objects->right_count; i++) {
        struct schema_right right = objects->rights[i];
        bool grant = (strcmp(right.kind, "grant") == 0 || strcmp(right.kind, "lacks") == 0) &&
                     right.words != NULL;
        if (grant && strstr(right.words, "MAINTAIN") != NULL) {
            right.words = without_maintain(right.words, carried->arena);
        }
        if (!grant || right.words[0] != '\0') {
            rights[known->right_count++] = right;
        }
    }
    known->rights = rights;
    carried->making.objects = known;
}

static enum status carried_finish(struct postgres_carried *carried,
                                  const struct after_load_request *request,
                                  struct rights_left *left)
{
    struct schema known = {0};
    know_rights(carried, &known);
    const struct schema *objects = carried->making.objects;
    struct postgres_database *self = carried->making.self;
    carried->done =
        arena_allocate_zeroed(carried->arena, (size_t)objects->right_count + 1, sizeof(bool));
    carried->why =
        arena_allocate_zeroed(carried->arena, (size_t)objects->right_count + 1, sizeof(char *));
    enum status status = postgres_rights_check(&self->sql.base.scope, objects, carried->error);
    status = status == STATUS_OK ? postgres_roles_read(self, carried->connection,
                                                       &carried->making.roles, carried->error)
                                 : status;
    if (status == STATUS_OK && request != NULL) {
        status = list_made(carried, request->tables, request->table_count);
    } else if (status == STATUS_OK) {
        list_wanted(carried);
    }
    if (carried->made_count > 0) {
        qsort(carried->made, carried->made_count, sizeof *carried->made, postgres_made_compare);
    }
    if (status == STATUS_OK && self->sql.base.carries_rights) {
        status = carry_all(carried);
    }
    if (status == STATUS_OK && left != NULL) {
        status = postgres_rights_list(carried, left);
    }
    postgres_roles_free(&carried->making.roles);
    PQclear(carried->listed);
    return status;
}

enum status postgres_rights_finish(struct postgres_database *self, PGconn *connection,
                                   const struct after_load_request *request, struct error *error)
{
    struct postgres_carried carried = {.making = {.self = self, .objects = request->objects},
                                       .connection = connection,
                                       .arena = arena_create(0),
                                       .error = error};
    enum status status = carried_finish(&carried, request, request->left);
    arena_destroy(carried.arena);
    return status;
}

enum status postgres_tell_rights(struct database *database, const struct schema *objects,
                                 struct rights_left *left, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct postgres_carried carried = {.making = {.self = self, .objects = objects},
                                       .ahead = true,
                                       .arena = arena_create(0),
                                       .error = error};
    enum status status = postgres_control(self, &carried.connection, error);
    if (status == STATUS_OK && self->tables == NULL) {
        status = postgres_target_read(self, carried.connection, error);
    }
    status = status == STATUS_OK ? carried_finish(&carried, NULL, left) : status;
    arena_destroy(carried.arena);
    return status;
}
