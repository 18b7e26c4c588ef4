/*
 * Schema evolution: a library of its own, which changes a database's schema in place. Whoever uses
 * it includes this header and none of the rooms' own, and links libtranshume_evolve.a before
 * libtranshume.a. The program is built without it by `make WITHOUT=evolve`.
 *
 *   folder/  the files of a migration folder, of ours or of another tool, as versions with their
 *            statements (migration_…)
 *   run/     the history in the database, what is pending, and bringing the schema up, down or back
 *            (schema_look, schema_run, schema_repair)
 *   check/   the assertions beside a migration
 *   lint/    what a statement does to a live database, before it is run (lint_text)
 *   diff/    two schemas, and the statements from one to the other (diff_run)
 *   import/  histories of other tools (migration_import)
 *   change/  one declared change of a table, which clients of both schemas live through: begun,
 *            switched, completed or given up (change_look, change_run)
 *
 * A database is reached through the groups `schema`, `history` and `change` of its connector
 * (connectors/contract/). All that a call makes lives in the arena that it is given.
 */
#ifndef TRANSHUME_EVOLVE_EVOLVE_H
#define TRANSHUME_EVOLVE_EVOLVE_H

#include "evolve/change/run.h"
#include "evolve/change/stored.h"
#include "evolve/diff/diff.h"
#include "evolve/folder/version.h"
#include "evolve/import/import.h"
#include "evolve/lint/lint.h"
#include "evolve/run/run.h"

#endif
