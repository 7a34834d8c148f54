//! The code that has an arm for each kind of record.

/// Makes [`Table`](super::Table), [`AnyRow`](super::AnyRow), [`Collections`](super::Collections) and
/// [`Listed`](super::Listed) of the list of kinds.
macro_rules! kinds {
    ($($(#[$doc:meta])* $table:ident $name:literal $schema:path $(=> $collection:ident: $row:ident)?;)*) => {
        /// A table of the northbound DB, that is, a model class of Dragonflow.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Table {
            $($(#[$doc])* $table,)*
        }

        impl Table {
            /// Every table, referred-to before referring.
            pub const ALL: &[Self] = &[$(Self::$table,)*];

            /// The name in keys and in the CLI.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$table => $name,)*
                }
            }

            /// The rules for writers of this table.
            pub(in crate::nb) const fn schema(self) -> &'static Schema {
                match self {
                    $(Self::$table => &$schema,)*
                }
            }
        }

        /// A row of any kind.
        #[derive(Debug, Clone, PartialEq)]
        pub(in crate::nb) enum AnyRow {
            $($($table($row),)?)*
        }

        impl AnyRow {
            /// Parses a record; `None` if the datapath does not read its table.
            pub(in crate::nb) fn parse(record: &Record) -> Option<Result<Self, RecordError>> {
                match record.table {
                    $($(Table::$table => Some($row::parse(record).map(Self::$table)),)?)*
                    _ => None,
                }
            }

            /// Whether `all` has exactly this row.
            pub(in crate::nb) fn is_in(&self, all: &Collections) -> bool {
                match self {
                    $($(Self::$table(row) => all.$collection.rows().get(row.id()) == Some(row),)?)*
                }
            }

            pub(in crate::nb) fn claims(&self) -> Vec<Claim> {
                match self {
                    $($(Self::$table(row) => $row::claims(row),)?)*
                }
            }

            pub(in crate::nb) fn insert(self, nb: &mut Northbound, affected: &mut Affected) {
                match self {
                    $($(Self::$table(mut row) => {
                        row.share_ids(&mut nb.texts);
                        $row::insert(row, nb, affected);
                    })?)*
                }
            }
        }

        $($(
            impl Listed for $row {
                const TABLE: Table = Table::$table;

                fn collection(all: &mut Collections) -> &mut Collection<Self> {
                    &mut all.$collection
                }
            }
        )?)*

        /// One collection for each kind that the datapath reads.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub(in crate::nb) struct Collections {
            $($(pub(in crate::nb) $collection: Collection<$row>,)?)*
        }

        impl Collections {
            pub(in crate::nb) fn all(&self) -> impl Iterator<Item = &dyn AnyCollection> {
                [$($(&self.$collection as &dyn AnyCollection,)?)*].into_iter()
            }

            pub(in crate::nb) fn compact(&mut self) {
                $($(self.$collection.compact();)?)*
            }

            /// The collection of a table; `None` if the datapath does not read it.
            pub(in crate::nb) fn of(&self, table: Table) -> Option<&dyn AnyCollection> {
                match table {
                    $($(Table::$table => Some(&self.$collection),)?)*
                    _ => None,
                }
            }

            pub(in crate::nb) fn of_mut(&mut self, table: Table) -> Option<&mut dyn AnyCollection> {
                match table {
                    $($(Table::$table => Some(&mut self.$collection),)?)*
                    _ => None,
                }
            }
        }

        /// Removes the row of a record, if there is one.
        pub(in crate::nb) fn remove(nb: &mut Northbound, table: Table, id: &Id, affected: &mut Affected) {
            match table {
                $($(Table::$table => <$row as Row>::remove(nb, id, affected),)?)*
                _ => {}
            }
        }
    };
}

pub(super) use kinds;
