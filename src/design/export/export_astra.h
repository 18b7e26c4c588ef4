/*
 * Exports of a Cassandra design for DataStax Astra: CQL without a keyspace, which Astra makes
 * itself (not by CQL), and bodies of the Data API's createTable. Astra compacts in its own way and
 * ignores other options of tables, so none is written.
 */
#ifndef TRANSHUME_DESIGN_EXPORT_EXPORT_ASTRA_H
#define TRANSHUME_DESIGN_EXPORT_EXPORT_ASTRA_H

#include "design/layout/layout.h"

enum { EXPORT_ASTRA_TABLES_MAX = 50 }; /* of a serverless database, about */

void export_astra_append_cql(const struct layout *layout, struct buffer *out);
/* An array of {"createTable": {"name": …, "definition": {"columns": …, "primaryKey": …}}}. */
void export_astra_append_tables(const struct layout *layout, struct buffer *out);

#endif
