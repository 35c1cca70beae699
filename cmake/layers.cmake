# The one table of the house: every folder of src/, its layer, the folders it uses, and the third-party parts it wraps.
#
# A folder may use only folders of a lower layer; configuring fails otherwise. tools/layers.py reads this file too and
# fails on an #include of a folder that is not in USES. A part's own types stay inside the folders that name it in PARTS.

penstock_folder(base      LAYER 0  USES                                                      PARTS fmt crypto)

penstock_folder(json      LAYER 1  USES base                                                 PARTS simdjson)
penstock_folder(os        LAYER 1  USES base)
penstock_folder(config    LAYER 1  USES base                                                 PARTS tomlplusplus)
penstock_folder(observe   LAYER 1  USES base)
penstock_folder(table     LAYER 1  USES base                                                 PARTS nanoarrow)

penstock_folder(http      LAYER 2  USES base os)
penstock_folder(sql       LAYER 2  USES base                                                 PARTS sqlite3)

penstock_folder(store     LAYER 3  USES base os)
penstock_folder(package   LAYER 3  USES base json os)

penstock_folder(data      LAYER 4  USES base json os table sql                              PARTS sqlite3 duckdb)
penstock_folder(engine    LAYER 4  USES base json os package                                  PARTS onnxruntime)
penstock_folder(registry  LAYER 4  USES base json os sql store package)

penstock_folder(train     LAYER 5  USES base json package engine)
penstock_folder(serve     LAYER 5  USES base json observe package engine)

penstock_folder(protocol  LAYER 6  USES base json observe http package engine serve          PARTS simdjson)
penstock_folder(follow    LAYER 6  USES base os observe package serve)

penstock_folder(cli       LAYER 9  USES base json config os table data package engine registry train  PARTS cli11)

penstock_folder(bindings  LAYER 10 USES base json config os table data package engine registry train cli  PARTS nanobind)

# Programs: sources in src/programs, and the closure each may reach. Configuring fails when a program reaches a folder
# outside its closure: penstock-server stays free of SQL, of readers and of Python.
penstock_program(penstock-server MAIN penstock_server.cc
                 CLOSURE base json config os observe http package engine serve protocol follow)
penstock_program(penstock MAIN penstock.cc
                 CLOSURE base json config os table sql store package data engine registry train cli)
penstock_module(_penstock FOLDER bindings
                CLOSURE base json config os table sql store package data engine registry train cli bindings)
