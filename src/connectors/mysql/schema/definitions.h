/* Definitions of a database of MySQL or MariaDB: what SHOW CREATE tells, taken apart. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_SCHEMA_DEFINITIONS_H
#define TRANSHUME_CONNECTORS_MYSQL_SCHEMA_DEFINITIONS_H

#include "connectors/mysql/mysql_internal.h"
#include "connectors/sql/definitions.h"

extern const struct sql_definition_kind mysql_definition_kinds[];
extern const struct definition_functions mysql_definition_functions;

/* definition_parts.c */
/* Adds the columns, keys, checks and references of SHOW CREATE TABLE, and to the table the rest. */
void mysql_take_table_apart(struct sql_definitions *list, uint32_t table, const char *statement);
/* As others name it in `needs`. */
const char *mysql_definition_id(struct arena *arena, const char *lead, const char *name);
/* CREATE … without its DEFINER, which goes into `*definer` (NULL: it has none). */
const char *mysql_without_definer(const char *statement, struct arena *arena, const char **definer);

/* emit.c, emit_table.c */
enum status mysql_create_table(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after);
enum status mysql_alter_table(struct sql_emission *emission, const struct definition *before,
                              const struct definition *after);
enum status mysql_rename_column(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after);
bool mysql_definition_disturbs(const struct definition_change *change,
                               const struct definition *user);
bool mysql_definition_differs(const struct definition_change *change);

#endif
