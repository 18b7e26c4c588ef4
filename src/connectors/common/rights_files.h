/* The rights to files and folders that an account lacks, as commands that give them to it alone. */
#ifndef TRANSHUME_CONNECTORS_COMMON_RIGHTS_FILES_H
#define TRANSHUME_CONNECTORS_COMMON_RIGHTS_FILES_H

#include "connectors/contract/rights.h"

/* The same bits as in a mode. */
enum { FILE_SEARCH = 1, FILE_WRITE = 2, FILE_READ = 4 };

/*
 * Nothing is said of what the mode lets the account do already; what an ACL gives it is not looked
 * at. An account that this system does not know is taken for one of the others. Folders above are
 * searched.
 *
 *   setfacl -m u:mover:r-- -- '/data/shop.db'
 */
void rights_add_file(struct rights_list *list, enum rights_use use, const char *account,
                     const char *path, int needed);
/* The same of a file, or of a folder with all that is in it. */
void rights_add_tree(struct rights_list *list, enum rights_use use, const char *account,
                     const char *path, bool writes);
/* A folder that is not there yet is best made for the account. */
void rights_add_new_folder(struct rights_list *list, enum rights_use use, const char *account,
                           const char *path);
/* The folder that the file lies in, where others are made beside it. */
void rights_add_folder_of(struct rights_list *list, enum rights_use use, const char *account,
                          const char *path);

#endif
