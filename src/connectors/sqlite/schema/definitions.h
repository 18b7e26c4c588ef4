/* Definitions of a SQLite file: its tables taken apart, and statements that change them. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_SCHEMA_DEFINITIONS_H
#define TRANSHUME_CONNECTORS_SQLITE_SCHEMA_DEFINITIONS_H

#include "connectors/sql/definitions.h"

extern const struct sql_definition_kind sqlite_definition_kinds[];
extern const struct definition_functions sqlite_definition_functions;

/* table_text.c */
/* Adds the columns and constraints of a CREATE TABLE, and to the table what stands behind them. */
void sqlite_take_table_apart(struct sql_definitions *list, uint32_t table, const char *sql);

/* emit.c */
bool sqlite_definition_disturbs(const struct definition_change *change,
                                const struct definition *user);

#endif
