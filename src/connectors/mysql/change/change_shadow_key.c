/* The key by which the rows of a table are walked while its shadow is filled. */
#include "connectors/mysql/change/change_shadow.h"
#include <string.h>
#include <strings.h>

static const struct mysql_change_pair *pair_from(const struct mysql_shadow *self, const char *name)
{
    for (uint32_t i = 0; i < self->carried_count; i++) {
        if (strcasecmp(self->carried[i].from->name, name) == 0) {
            return &self->carried[i];
        }
    }
    return NULL;
}

/* An index of the new form that begins with these columns, in any order; NULL: there is none. */
const char *mysql_shadow_index_for(const struct mysql_shadow *self,
                                   const struct mysql_change_key *key)
{
    for (uint32_t i = 0; i < self->after->key_count; i++) {
        const struct mysql_change_key *index = &self->after->keys[i];
        uint32_t found = 0;
        for (uint32_t j = 0; j < key->count && j < index->count; j++) {
            for (uint32_t k = 0; k < key->count; k++) {
                const struct mysql_change_pair *pair = pair_from(self, key->columns[k]);
                found += pair != NULL && strcasecmp(pair->to->name, index->columns[j]) == 0;
            }
        }
        if (found == key->count) {
            return index->name;
        }
    }
    return NULL;
}

static bool is_walkable(const struct mysql_shadow *self, const struct mysql_change_key *key)
{
    bool fits = key->unique && key->count > 0;
    for (uint32_t i = 0; i < key->count && fits; i++) {
        const struct mysql_change_column *column =
            mysql_change_column_of(self->table, key->columns[i]);
        fits = column != NULL && pair_from(self, column->name) != NULL &&
               strcmp(column->data_type, "float") != 0 && strcmp(column->data_type, "double") != 0;
    }
    return fits && mysql_shadow_index_for(self, key) != NULL;
}

enum status mysql_shadow_choose_key(struct mysql_shadow *self, struct error *error)
{
    for (uint32_t i = 0; i < self->table->key_count && self->key == NULL; i++) {
        if (is_walkable(self, &self->table->keys[i])) {
            self->key = &self->table->keys[i];
        }
    }
    if (self->key == NULL) {
        mysql_change_refuse(self->set, error,
                            "the table has to be copied, and no PRIMARY KEY or UNIQUE key without "
                            "NULLs leads from its rows to those of the new form");
        return error_hint(error, "give both forms one key over the same columns, which are no "
                                 "floats; or take the lock: an operation sql with lock: all");
    }
    for (uint32_t i = 0; i < self->key->count; i++) {
        self->key_pairs[i] = pair_from(self, self->key->columns[i]);
    }
    return STATUS_OK;
}
