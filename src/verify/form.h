/* Records of both sides in one form: named fields in one order, in the target's normal form,
 * hashed. */
#ifndef TRANSHUME_VERIFY_FORM_H
#define TRANSHUME_VERIFY_FORM_H

#include "connectors/contract/connector.h"
#include "model/canonical.h"
#include "model/decimal.h"

/*
 * The compared part of a record: its fields by name, bytewise, those that are missing left out (and
 * those that are null where the target does not tell the two apart). Its canonical bytes are each
 * field's name (as a TEXT) and value, in that order; values above FORM_VALUE_BYTES_MAX stand as
 * their length and XXH3-128.
 */
enum { FORM_VALUE_BYTES_MAX = 64 << 10, FORM_VERSION = 1 };

struct form_field {
    uint32_t cell;         /* of the row */
    uint32_t column_class; /* of the target's column */
    bool in_column;        /* the class is known */
    const char *name;
    uint32_t name_length;
    const char *run; /* canonical bytes of the name */
    uint32_t run_length;
    uint32_t column; /* its number among the table's columns, for checksums; UINT32_MAX: none */
};
/* The fields of one shape, by name; read only once it is made. */
struct record_form {
    const struct form_field *fields; /* NULL: documents, one cell that is a MAP */
    uint32_t field_count;
    const struct column_list
        *columns; /* of documents: names, in order, that checksums are made of */
    struct column_list key;
};

/* One field of the record in hand. */
struct former_field {
    const char *name;
    uint32_t name_length;
    uint32_t column;
    const struct cell *raw;
    struct cell value; /* in normal form */
    size_t begin;      /* of its value in `bytes` */
    size_t end;
};

/* Belongs to one thread. */
struct former {
    struct database *target;
    bool null_is_missing;
    struct arena *arena;
    struct buffer bytes;
    struct buffer key_bytes;
    struct former_field *fields;
    uint32_t capacity;
    /* the record in hand, valid until the next */
    uint32_t count;
    struct canonical_hash key; /* of its key; of all of it where it has none */
    struct canonical_hash hash;
    bool has_key;
};
void former_init(struct former *former, struct database *target);
void former_free(struct former *former);
/* Takes one record in hand. */
enum status former_take(struct former *former, const struct record_form *form,
                        const struct cell *cells, struct error *error) MUST_USE;
/* The same of a record with declared fields, and of these its key's alone: `key` and `has_key` are
 * those of the record, `hash` is not. */
enum status former_take_key(struct former *former, const struct record_form *form,
                            const struct cell *cells, struct error *error) MUST_USE;
/* The field of that name of the record in hand; NULL: it has none. */
const struct former_field *former_find(const struct former *former, const char *name,
                                       size_t length);

#endif
