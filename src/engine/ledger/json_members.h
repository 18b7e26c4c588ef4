/* Members of a struct as those of a JSON object, by a table. */
#ifndef TRANSHUME_ENGINE_LEDGER_JSON_MEMBERS_H
#define TRANSHUME_ENGINE_LEDGER_JSON_MEMBERS_H

#include "base/arena.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_form {
    JSON_FORM_FLAG,   /* bool */
    JSON_FORM_TEXT,   /* const char *, NULL: none */
    JSON_FORM_NUMBER, /* int32_t */
    JSON_FORM_COUNT,  /* uint32_t */
    JSON_FORM_BYTE,   /* uint8_t */
    JSON_FORM_CHOICE, /* an enum, from 0 */
    JSON_FORM_NAMES   /* struct column_list */
};

/* A member that is zero, NULL or empty is not written. */
struct json_member {
    const char *name;
    enum json_form form;
    size_t offset;
    int64_t most; /* NUMBER, COUNT, BYTE, CHOICE: above it is damage */
};

/* Adds them to the object. */
void json_members_add(json_t *object, const void *from, const struct json_member *members,
                      size_t count);
/* Texts and lists are copied to the arena; members that the object lacks become zero. False: one is
 * of another type, or out of its range. */
bool json_members_take(const json_t *object, void *to, const struct json_member *members,
                       size_t count, struct arena *arena);
/* An array of texts. False: it is no such. NULL: an empty list. */
struct column_list;

#endif
