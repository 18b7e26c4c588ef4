/* The files of a Liquibase folder, and their order. */
#ifndef TRANSHUME_EVOLVE_FOLDER_LIQUIBASE_H
#define TRANSHUME_EVOLVE_FOLDER_LIQUIBASE_H

#include "evolve/folder/foreign.h"

/* All files of SQL in the folder and those below it, by their paths. */
enum status liquibase_list(struct migration_reader *reader, struct foreign_files *files,
                           struct error *error) MUST_USE;
/*
 * Puts them in the order in which changelogs in the folder include them; without such a changelog
 * the order stays. Files that none includes, and changesets that are not SQL, are faults.
 */
enum status liquibase_order(struct migration_reader *reader, struct foreign_files *files,
                            struct error *error) MUST_USE;

#endif
