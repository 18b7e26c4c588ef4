/* Definitions of a PostgreSQL database: read by the queries sql/define_*.sql, and what changes
 * them. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_DEFINITIONS_H
#define TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_DEFINITIONS_H

#include "connectors/postgres/postgres_internal.h"
#include "connectors/sql/definitions.h"

extern const struct sql_definition_kind postgres_definition_kinds[];
extern const struct definition_functions postgres_definition_functions;

bool postgres_definition_disturbs(const struct definition_change *change,
                                  const struct definition *user);

/* "schema"."name" of what has one. */
void postgres_append_place(struct buffer *sql, const struct definition *item);
/* "schema"."table" of what a table has. */
void postgres_append_owner(struct buffer *sql, const struct definition *item);
/* The fact, or "". */
const char *postgres_fact(const struct definition *item, const char *name);
/* Without a ";" and blanks at the end. */
void postgres_append_trimmed(struct buffer *sql, const char *text);
/* "a=1, b=2" as "a=1, b=2" for SET and "a, b" for RESET. */
void postgres_append_option_names(struct buffer *sql, const char *options);

/* ---------------------------------------------------------------- by kinds */

/* emit_type.c */
enum status postgres_create_enum(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after);
enum status postgres_alter_enum(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after);
enum status postgres_create_domain(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after);
enum status postgres_alter_domain(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after);
/* Is the type made again, and what is of it converted? */
bool postgres_replaces_type(const struct definition *before, const struct definition *after);
enum status postgres_create_other_type(struct sql_emission *emission,
                                       const struct definition *before,
                                       const struct definition *after);
enum status postgres_drop_type(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after);
enum status postgres_rename_type(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after);
enum status postgres_create_attribute(struct sql_emission *emission,
                                      const struct definition *before,
                                      const struct definition *after);
enum status postgres_alter_attribute(struct sql_emission *emission, const struct definition *before,
                                     const struct definition *after);
enum status postgres_drop_attribute(struct sql_emission *emission, const struct definition *before,
                                    const struct definition *after);
enum status postgres_create_domain_check(struct sql_emission *emission,
                                         const struct definition *before,
                                         const struct definition *after);
enum status postgres_drop_domain_check(struct sql_emission *emission,
                                       const struct definition *before,
                                       const struct definition *after);

/* emit_table.c */
enum status postgres_create_table(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after);
enum status postgres_alter_table(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after);
enum status postgres_drop_table(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after);
enum status postgres_rename_table(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after);

/* emit_column.c */
void postgres_append_column(struct buffer *sql, const struct definition *column);
/* The facts of a column beside its definition, as clauses of ALTER TABLE; false: nothing. */
bool postgres_append_column_extras(struct buffer *sql, const struct definition *before,
                                   const struct definition *after);
/* NOT NULL of a partition's column that is not its parent's. */
void postgres_set_own_null(struct sql_emission *emission, const struct definition *column);
enum status postgres_create_column(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after);
enum status postgres_alter_column(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after);
enum status postgres_drop_column(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after);
enum status postgres_rename_column(struct sql_emission *emission, const struct definition *before,
                                   const struct definition *after);
enum status postgres_set_default(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after);
enum status postgres_drop_default(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after);

/* emit_constraint.c */
enum status postgres_create_constraint(struct sql_emission *emission,
                                       const struct definition *before,
                                       const struct definition *after);
enum status postgres_alter_constraint(struct sql_emission *emission,
                                      const struct definition *before,
                                      const struct definition *after);
enum status postgres_drop_constraint(struct sql_emission *emission, const struct definition *before,
                                     const struct definition *after);
enum status postgres_rename_constraint(struct sql_emission *emission,
                                       const struct definition *before,
                                       const struct definition *after);
enum status postgres_create_index(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after);
enum status postgres_alter_index(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after);
enum status postgres_drop_index(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after);
enum status postgres_rename_index(struct sql_emission *emission, const struct definition *before,
                                  const struct definition *after);

#endif
