/* Who the target's roles are, and the words of statements about rights. */
#include "connectors/postgres/rights.h"
#include "connectors/postgres/statement.h"
#include <string.h>

enum {
    ROLE_NAME,
    ROLE_GIVABLE,
    ROLE_IS_ACCOUNT,
    ROLE_SUPERUSER,
    ROLE_BYPASSES,
    ROLE_IS_GIVEN /* by default, what the account makes */
};
enum { VERSION_16 = 160000 };

/* ---------------------------------------------------------------- roles */

static bool is_true(const PGresult *list, int row, int column)
{
    return PQgetvalue(list, row, column)[0] == 't';
}

/* An account that gives something to a role and has not that role's rights without SET ROLE can't
 * do anything with it from then on. */
enum status postgres_roles_read(struct postgres_database *self, PGconn *connection,
                                struct postgres_roles *roles, struct error *error)
{
    struct buffer sql = {0};
    buffer_format(&sql,
                  "SELECT r.rolname, pg_catalog.pg_has_role(r.oid, 'USAGE')%s, r.rolname = "
                  "current_user, r.rolsuper, r.rolbypassrls, EXISTS (SELECT 1 FROM "
                  "pg_catalog.pg_default_acl d CROSS JOIN LATERAL "
                  "pg_catalog.aclexplode(d.defaclacl) g WHERE d.defaclobjtype IN ('f', 'T') AND "
                  "pg_catalog.pg_get_userbyid(d.defaclrole) = current_user AND g.grantee = r.oid "
                  "AND g.grantee <> d.defaclrole) FROM pg_catalog.pg_roles r ORDER BY r.rolname "
                  "COLLATE pg_catalog.\"C\"",
                  self->server_version >= VERSION_16 ? " AND pg_catalog.pg_has_role(r.oid, 'SET')"
                                                     : "");
    enum status status = postgres_catalog_query_buffer(self, connection, &sql, NULL, 0, SQL_SHORT,
                                                       ERROR_TARGET_INVALID, &roles->list, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(roles->list); row++) {
        if (is_true(roles->list, row, ROLE_IS_ACCOUNT)) {
            roles->account = PQgetvalue(roles->list, row, ROLE_NAME);
            roles->is_superuser = is_true(roles->list, row, ROLE_SUPERUSER);
            roles->bypasses = is_true(roles->list, row, ROLE_BYPASSES);
        }
    }
    return status;
}

void postgres_roles_free(struct postgres_roles *roles)
{
    PQclear(roles->list);
    *roles = (struct postgres_roles){0};
}

/* Its row; -1: there is none of that name. */
static int role_find(const struct postgres_roles *roles, const char *name)
{
    int low = 0;
    int high = PQntuples(roles->list);
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(PQgetvalue(roles->list, middle, ROLE_NAME), name);
        if (order == 0) {
            return middle;
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return -1;
}

bool postgres_has_role(const struct postgres_roles *roles, const char *name)
{
    return role_find(roles, name) >= 0;
}

bool postgres_may_give(const struct postgres_roles *roles, const char *name)
{
    int row = role_find(roles, name);
    return row >= 0 && is_true(roles->list, row, ROLE_GIVABLE);
}

bool postgres_does_more(const struct postgres_roles *roles, const struct schema_right *right)
{
    bool same = roles->account != NULL && strcmp(roles->account, right->role) == 0;
    bool past = roles->is_superuser || (roles->bypasses && strcmp(right->kind, "runs") != 0);
    return !same || past;
}

enum status postgres_rights_check(const struct schema_scope *scope, const struct schema *objects,
                                  struct error *error)
{
    for (uint32_t i = 0; i < objects->right_count; i++) {
        if (!postgres_right_is_told(scope, &objects->rights[i])) {
            return error_set(error, ERROR_TARGET_SCHEMA, objects->rights[i].name,
                             "what the source tells is no right of it");
        }
    }
    return STATUS_OK;
}

const struct schema_right *postgres_find_right(const struct schema *objects, const char *kind,
                                               const char *what, const char *name)
{
    uint32_t low = 0; /* rights.sql has them in this order */
    uint32_t high = objects->right_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct schema_right *right = &objects->rights[middle];
        int order = strcmp(right->kind, kind);
        order = order == 0 ? strcmp(right->what, what) : order;
        order = order == 0 ? strcmp(right->name, name) : order;
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    const struct schema_right *first = low < objects->right_count ? &objects->rights[low] : NULL;
    return first != NULL && strcmp(first->kind, kind) == 0 && strcmp(first->what, what) == 0 &&
                   strcmp(first->name, name) == 0
               ? first
               : NULL;
}

/* ---------------------------------------------------------------- what is made otherwise */

bool postgres_is_held_back(const struct postgres_roles *roles, const struct schema_object *object)
{
    static const char force[] = " FORCE ROW LEVEL SECURITY";
    size_t length = object->native_sql != NULL ? strlen(object->native_sql) : 0;
    size_t end = sizeof force - 1;
    return object->table != NULL && object->stage == SCHEMA_AFTER_LOAD && length > end &&
           strcmp(schema_object_word(object), "property") == 0 &&
           strcmp(object->native_sql + length - end, force) == 0 && !roles->is_superuser &&
           !roles->bypasses;
}

/* The members, of the target's roles, of what the policy names: also of those roles that the target
 * has not. */
static void add_held(const struct postgres_making *making, const struct schema_object *policy,
                     struct buffer *list)
{
    const struct schema *objects = making->objects;
    for (uint32_t i = 0; i < objects->right_count; i++) {
        const struct schema_right *right = &objects->rights[i];
        if (strcmp(right->kind, "member") == 0 && strcmp(right->name, policy->name) == 0 &&
            right->table != NULL && strcmp(right->table, policy->table) == 0 &&
            postgres_has_role(&making->roles, right->role)) {
            buffer_append_string(list, list->length > 0 ? ", " : "");
            postgres_append_name(list, right->role);
        }
    }
}

static enum status restrictive_words(const struct postgres_making *making,
                                     const struct schema_object *object, struct text roles,
                                     struct buffer *sql)
{
    struct arena *arena = arena_create(0);
    struct buffer list = {0};
    const char *behind = roles.data + roles.length;
    bool lacks = false;
    bool everybody = false;
    buffer_append(sql, object->native_sql, (size_t)(roles.data - object->native_sql));
    for (const char *role; (role = postgres_next_role(&roles, arena, &everybody)) != NULL;) {
        if (!everybody && !postgres_has_role(&making->roles, role)) {
            lacks = true;
            continue;
        }
        buffer_append_string(&list, list.length > 0 ? ", " : "");
        if (everybody) {
            buffer_append_string(&list, role);
        } else {
            postgres_append_name(&list, role);
        }
    }
    if (lacks) {
        add_held(making, object, &list);
    }
    bool none = list.length == 0;
    postgres_append(sql, "%b%s", &list, behind);
    buffer_free(&list);
    arena_destroy(arena);
    return none ? STATUS_END : STATUS_OK;
}

/* Behind "name='value'", which may have quotes in it, doubled. */
static const char *pass_option(const char *at)
{
    bool quoted = false;
    for (; *at != '\0' && (quoted || (*at != ',' && *at != ')')); at++) {
        quoted = quoted != (*at == '\'');
    }
    return at;
}

/* Its own options, but for the one that says who reads. */
static void view_words(const struct schema_scope *scope, const char *statement, struct buffer *sql)
{
    static const char with[] = " WITH (";
    static const char invoker[] = "security_invoker=";
    const char *at = postgres_view_options(scope, statement);
    if (at == NULL) {
        buffer_append_string(sql, statement);
        return;
    }
    postgres_append(sql, "%S%s%strue", statement, (size_t)(at - statement), with, invoker);
    if (strncmp(at, with, sizeof with - 1) == 0) {
        for (at += sizeof with - 1; *at != '\0' && *at != ')';) {
            const char *end = pass_option(at);
            if (strncmp(at, invoker, sizeof invoker - 1) != 0) {
                postgres_append(sql, ", %S", at, (size_t)(end - at));
            }
            at = *end == ',' ? end + 1 + strspn(end + 1, " ") : end;
        }
        at += *at == ')';
    }
    buffer_format(sql, ")%s", at);
}

enum status postgres_object_words(const struct postgres_making *making,
                                  const struct schema_object *object, struct buffer *sql)
{
    static const char empty[] = " WITH NO DATA";
    const struct schema_scope *scope = &making->self->sql.base.scope;
    const char *statement = object->native_sql;
    const char *what = schema_object_word(object);
    struct text roles = {statement, 0};
    if (postgres_is_held_back(&making->roles, object)) {
        return STATUS_END;
    }
    if (strcmp(what, "policy") == 0) {
        roles = postgres_policy_roles(scope, statement, true);
    }
    if (roles.length > 0) {
        return restrictive_words(making, object, roles, sql);
    }
    const struct schema_right *reads =
        object->kind == SCHEMA_OBJECT_VIEW
            ? postgres_find_right(making->objects, "reads", what, object->name)
            : NULL;
    bool held = reads != NULL && postgres_does_more(&making->roles, reads);
    if (held && strcmp(what, "view") == 0 &&
        making->self->server_version >= POSTGRES_INVOKER_VERSION) {
        view_words(scope, statement, sql);
        return STATUS_OK;
    }
    buffer_append_string(sql, statement);
    size_t length = strlen(statement);
    size_t end = sizeof empty - 1;
    if (held && strcmp(what, "view") != 0 &&
        (length < end || strcmp(statement + length - end, empty) != 0)) {
        buffer_append_string(sql, empty);
    }
    return STATUS_OK;
}

/* The roles to whom the target's default privileges give what the account makes. */
static void append_given(const struct postgres_roles *roles, struct buffer *sql)
{
    for (int row = 0; row < PQntuples(roles->list); row++) {
        if (is_true(roles->list, row, ROLE_IS_GIVEN)) {
            postgres_append(sql, ", %n", PQgetvalue(roles->list, row, ROLE_NAME));
        }
    }
}

void postgres_closing_words(const struct postgres_making *making,
                            const struct schema_object *object, struct buffer *sql)
{
    const char *what = schema_object_word(object);
    if (object->stage != SCHEMA_BEFORE_TABLES || object->kind == SCHEMA_OBJECT_DETAIL) {
        return; /* neither a routine nor a type */
    }
    const struct schema_right *right =
        postgres_find_right(making->objects, "closed", what, object->name);
    if (right == NULL) {
        right = postgres_find_right(making->objects, "runs", what, object->name);
        right = right != NULL && postgres_does_more(&making->roles, right) ? right : NULL;
    }
    if (right != NULL) {
        buffer_format(sql, "REVOKE ALL ON %s FROM PUBLIC", right->called);
        append_given(&making->roles, sql);
    }
}

/* ---------------------------------------------------------------- statements */

static void append_role(struct buffer *sql, const char *role)
{
    if (role == NULL) {
        buffer_append_string(sql, "PUBLIC");
    } else {
        postgres_append_name(sql, role);
    }
}

void postgres_append_owner_change(struct buffer *sql, const struct schema_right *right)
{
    buffer_format(sql, "ALTER %s OWNER TO ", right->called);
    append_role(sql, right->role);
}

/* The words that may be granted on, or those that may not. False: there is none. */
static bool append_privileges(struct buffer *sql, const char *words, bool grantable, bool any)
{
    bool found = false;
    while (*words != '\0') {
        size_t length = strcspn(words, "\n");
        bool star = length > 0 && words[length - 1] == '*';
        if (any || star == grantable) {
            buffer_append_string(sql, found ? ", " : "");
            buffer_append(sql, words, length - star);
            found = true;
        }
        words += length + (words[length] == '\n');
    }
    return found;
}

void postgres_append_grant(struct buffer *sql, const struct schema_right *right, const char *words)
{
    struct buffer privileges = {0};
    for (int grantable = 0; grantable < 2; grantable++) {
        buffer_clear(&privileges);
        if (append_privileges(&privileges, words, grantable != 0, false)) {
            buffer_format(sql, "%sGRANT %s ON %s TO ", sql->length > 0 ? "; " : "",
                          buffer_string(&privileges), right->called);
            append_role(sql, right->role);
            buffer_append_string(sql, grantable != 0 ? " WITH GRANT OPTION" : "");
        }
    }
    buffer_free(&privileges);
}

static void append_revoke(struct buffer *sql, const struct schema_right *right, const char *what,
                          const char *words)
{
    buffer_format(sql, "%sREVOKE %s", sql->length > 0 ? "; " : "", what);
    append_privileges(sql, words, false, true);
    buffer_format(sql, " ON %s FROM ", right->called);
    append_role(sql, right->role);
}

void postgres_append_revoke(struct buffer *sql, const struct schema_right *right, const char *words)
{
    append_revoke(sql, right, "", words);
}

void postgres_append_option_revoke(struct buffer *sql, const struct schema_right *right,
                                   const char *words)
{
    append_revoke(sql, right, "GRANT OPTION FOR ", words);
}
