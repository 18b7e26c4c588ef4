/* Objects of the source's that the run made, and to whom they belong. */
#include "connectors/postgres/rights.h"
#include <stdlib.h>
#include <string.h>

int postgres_made_compare(const void *left, const void *right)
{
    const struct postgres_made *a = left;
    const struct postgres_made *b = right;
    int order = strcmp(a->what, b->what);
    return order != 0 ? order : strcmp(a->name, b->name);
}

bool postgres_is_made(const struct postgres_carried *carried, const struct schema_right *right)
{
    const struct postgres_made key = {right->table != NULL ? "table" : right->what,
                                      right->table != NULL ? right->table : right->name};
    return carried->made_count > 0 && bsearch(&key, carried->made, carried->made_count,
                                              sizeof *carried->made, postgres_made_compare) != NULL;
}

uint32_t postgres_right_number(const struct postgres_carried *carried,
                               const struct schema_right *right)
{
    return (uint32_t)(right - carried->making.objects->rights);
}

const struct schema_right *postgres_right_owner(const struct postgres_carried *carried,
                                                const struct schema_right *right)
{
    return postgres_find_right(carried->making.objects, "owner", right->what, right->name);
}

/* Have the views that hold back that role, each by itself, got it as their owner? */
static bool has_role_its_views(const struct postgres_carried *carried, const char *role)
{
    const struct schema *objects = carried->making.objects;
    bool has = true;
    for (uint32_t i = 0; has && i < objects->right_count; i++) {
        const struct schema_right *right = &objects->rights[i];
        const struct schema_right *owner =
            strcmp(right->kind, "reads") == 0 && strcmp(right->role, role) == 0
                ? postgres_right_owner(carried, right)
                : NULL;
        has = owner == NULL || strcmp(owner->role, role) != 0 ||
              carried->done[postgres_right_number(carried, owner)];
    }
    return has;
}

bool postgres_owner_is_right(const struct postgres_carried *carried,
                             const struct schema_right *right)
{
    const struct schema_right *owner = postgres_right_owner(carried, right);
    if (!postgres_does_more(&carried->making.roles, right)) {
        return true;
    }
    return owner != NULL && carried->done[postgres_right_number(carried, owner)] &&
           (strcmp(owner->role, right->role) == 0 || has_role_its_views(carried, right->role));
}

bool postgres_is_withheld(const struct postgres_carried *carried, const struct schema_right *right)
{
    static const char *const kinds[] = {"runs", "reads", "rewrites"};
    bool invokes = carried->making.self->server_version >= POSTGRES_INVOKER_VERSION;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct schema_right *more =
            postgres_find_right(carried->making.objects, kinds[i], right->what, right->name);
        bool held = i == 1 && (invokes || strcmp(right->what, "view") != 0);
        if (more != NULL && !held && !postgres_owner_is_right(carried, more)) {
            return true;
        }
    }
    return false;
}
