/* Scalars of a plan as values, by YAML 1.2's core schema; kinds and types by name. */
#ifndef TRANSHUME_PLAN_WORDS_SCALAR_H
#define TRANSHUME_PLAN_WORDS_SCALAR_H

#include "base/arena.h"
#include "model/schema.h"
#include "plan/mapping.h"
#include "plan/text/document.h"

/*
 * Quoted: TEXT. Else null, true, 5, 0x1F, 0o17, 1.50 (DECIMAL, scale kept), .inf, .nan by their
 * form, all others TEXT. Texts are borrowed from the node. STATUS_END: the number is out of range.
 */
enum status scalar_value(const struct plan_node *node, struct arena *arena,
                         struct cell *cell) MUST_USE;

/* The type of a constant. */
struct value_type scalar_type(const struct cell *cell);

/* "int64", "decimal(10,2)", "text(20)". False if it is no such thing. */
bool scalar_parse_type(const char *text, struct value_type *type);

/* "epoch_ms"; EPOCH_NONE: it is no such word, or NULL. */
enum epoch_unit scalar_epoch_unit(const char *text);

/* The kind that a type of the connector's own stands for ("NUMERIC(10,2)"); false if it knows no
 * such type. */
struct connector;
bool scalar_native_type(const struct connector *connector, const char *native,
                        struct value_type *type);
/* A hint at what to write instead of a type that the connector does not know; `hint` is room for
 * it. */
const char *scalar_native_hint(const struct connector *connector, const char *native, char *hint,
                               size_t capacity);

/* Names of the kinds that `cast:` may give. */
extern const char *const scalar_cast_names[];
extern const uint32_t scalar_cast_name_count;

/* Is the value the constant? Numbers by value; NULL also stands for MISSING. */
bool scalar_equals(const struct cell *constant, const struct cell *value);

#endif
