//! Nothing: the functions that use these attributes are generated.
