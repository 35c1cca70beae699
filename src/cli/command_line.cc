// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <utility>

#include "base/names.h"
#include "base/version.h"

namespace penstock::cli {
namespace {

constexpr const char* kExamples = R"(Examples:
  penstock register model.joblib --name churn --examples rows.csv --target churned
  penstock train app:model --set C=0.5
  penstock models show churn
  penstock predict churn --features sample.json
  penstock serve churn --port 8000)";

// Of penstock data head: it holds them before it prints.
constexpr int64_t kHeadRowsMax = 10'000;

// The whole tree; its variables are filled by CLI11.
class Tree {
 public:
  Tree() : app_("Turns a fitted model into a monitored production service.", "penstock") {
    app_.footer(kExamples);
    app_.require_subcommand(1);
    app_.set_version_flag("--version", std::string("penstock ") + kVersion);
    AddInit();
    AddRegister();
    AddTrain();
    AddCheck();
    AddServe();
    AddPredict();
    AddModels();
    AddParity();
    AddRuns();
    AddData();
    AddDoctor();
    AddReadRows();
  }

  Result<Command> Parse(std::vector<std::string> arguments) {
    const std::string first = arguments.empty() ? "" : arguments.front();
    if (arguments.empty()) return Command(PrintText{app_.help()});
    std::ranges::reverse(arguments);  // CLI11 takes them from the back
    try {
      app_.parse(arguments);
    } catch (const CLI::CallForHelp&) {
      return Command(PrintText{Asked().help()});
    } catch (const CLI::CallForAllHelp&) {
      return Command(PrintText{app_.help("", CLI::AppFormatMode::All)});
    } catch (const CLI::CallForVersion&) {
      return Command(PrintText{std::string("penstock ") + kVersion + "\n"});
    } catch (const CLI::ParseError& error) {
      return Explain(error, first);
    }
    return std::move(command_);
  }

 private:
  // The deepest command that was named: the one whose help is meant.
  const CLI::App& Asked() const {
    const CLI::App* asked = &app_;
    while (!asked->get_subcommands().empty()) asked = asked->get_subcommands().front();
    return *asked;
  }

  Status Explain(const CLI::ParseError& error, const std::string& first) const {
    std::vector<std::string> names;
    for (const CLI::App* command : app_.get_subcommands(nullptr)) {
      if (!command->get_group().empty()) names.push_back(command->get_name());
    }
    const bool is_command = std::ranges::find(names, first) != names.end();
    if (!is_command && !first.starts_with("-")) {
      return InvalidArgument("'" + first + "' is not a command; " + QuotedList(names) + " are." +
                             DidYouMean(first, names));
    }
    const std::string path = &Asked() == &app_ ? "penstock" : "penstock " + CommandPath();
    return InvalidArgument(std::string(error.what()) + "; " + path + " --help tells the usage");
  }

  std::string CommandPath() const {
    std::string path;
    for (const CLI::App* app = &app_; !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      path += (path.empty() ? "" : " ") + app->get_name();
    }
    return path;
  }

  void AddInit() {
    CLI::App* command =
        app_.add_subcommand("init", "Make a folder with a working app and its test");
    command->add_option("FOLDER", init_.folder, "its last part is the name of the model")
        ->required();
    command->callback([this] { command_ = init_; });
  }

  void AddRegister() {
    CLI::App* command =
        app_.add_subcommand("register", "Register a fitted model that joblib saved");
    command
        ->add_option("MODEL", register_.model,
                     "joblib file; opening it runs its code, so name one you trust")
        ->required();
    command->add_option("--name", register_.name, "name of the model")->required();
    command
        ->add_option("--examples", register_.examples,
                     "CSV file of rows: what parity is checked on")
        ->required();
    command->add_option("--target", register_.target,
                        "column of the CSV file that is not a feature");
    command
        ->add_option("--text", register_.text,
                     "column of the CSV file to read as text, as zip codes are; may be repeated")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_option("--engine", register_.engine, "only this engine: own or onnxruntime")
        ->check(CLI::IsMember({"own", "onnxruntime"}));
    command->add_flag("--json", register_.is_json, "print JSON");
    command->callback([this] { command_ = register_; });
  }

  void AddTrain() {
    CLI::App* command = app_.add_subcommand("train", "Train a model of an app, and register it");
    command->add_option("APP", train_.app, "the model, as module:variable")->required();
    AddPairs(command, "--set", train_.set, "hyperparameter, as C=0.5");
    AddPairs(command, "--param", train_.param, "argument of the reader, as limit=1000");
    AddPairs(command, "--split", train_.split, "argument of the splitter, as test_size=0.3");
    AddPairs(command, "--trainer", train_.trainer, "argument of the trainer, as epochs=5");
    command->add_option("--name", train_.name, "register under this name instead of the model's");
    command->add_flag("!--no-register", train_.registers, "train and evaluate only");
    command->add_flag("--json", train_.is_json, "print JSON");
    command->footer(
        "A value is JSON (0.5, true, null, [1, 2]); what is not JSON is text. What --set leaves "
        "open stands in [hyperparameters.MODEL] of penstock.toml, or is the default.");
    command->callback([this] { command_ = train_; });
  }

  void AddCheck() {
    CLI::App* command = app_.add_subcommand(
        "check", "Train a model of an app aside, and compare it with the registered version");
    command->add_option("APP", check_.app, "the model, as module:variable")->required();
    AddPairs(command, "--set", check_.set, "hyperparameter, as C=0.5");
    AddPairs(command, "--param", check_.param, "argument of the reader, as limit=1000");
    AddPairs(command, "--split", check_.split, "argument of the splitter, as test_size=0.3");
    AddPairs(command, "--trainer", check_.trainer, "argument of the trainer, as epochs=5");
    command->add_option("--against", check_.against,
                        "the version to compare with, instead of the newest of the model's name");
    command->add_flag("--native", check_.is_native, "fail where only Python can serve it");
    AddPairs(command, "--examples", check_.examples,
             "JSON file with the body of a request that must be answered");
    command->add_flag("--json", check_.is_json, "print JSON");
    command->footer(
        "Nothing is registered. Exit code 7 when a check fails: the signature takes less than the "
        "version before, or examples are not answered.");
    command->callback([this] { command_ = check_; });
  }

  static void AddPairs(CLI::App* command, const std::string& flag, std::vector<std::string>& pairs,
                       const std::string& what) {
    command->add_option(flag, pairs, what + "; may be repeated")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }

  void AddServe() {
    CLI::App* command = app_.add_subcommand("serve", "Serve a version until stopped");
    command->add_option("VERSION", serve_.version, "name, or name@N")->required();
    command->add_option("--host", serve_.host, "address to listen on (127.0.0.1)");
    command->add_option("--port", serve_.port, "port of the service (8000); 0 takes a free one")
        ->check(CLI::Range(0, 65535));
    command->add_option("--admin-port", serve_.admin_port, "port of metrics, loopback only (8002)")
        ->check(CLI::Range(0, 65535));
    command->allow_extras();
    command->footer(
        "Other flags are passed on: penstock-server --help lists them. Each has its place under "
        "[serve] in "
        "penstock.toml and its variable, as PENSTOCK_SERVE_PORT.");
    command->callback([this, command] {
      serve_.server_flags = command->remaining();
      command_ = serve_;
    });
  }

  void AddPredict() {
    CLI::App* command =
        app_.add_subcommand("predict", "Answer rows from a file, through the native engine");
    command->add_option("VERSION", predict_.version, "name, or name@N")->required();
    command
        ->add_option("--features", predict_.features,
                     "JSON file with the body of a request, or - for standard input")
        ->required();
    command->callback([this] { command_ = predict_; });
  }

  void AddModels() {
    CLI::App* models = app_.add_subcommand("models", "Look at the registry");
    models->require_subcommand(1);
    CLI::App* list = models->add_subcommand("list", "List all models");
    list->add_flag("--json", list_.is_json, "print JSON");
    list->callback([this] { command_ = list_; });
    CLI::App* show = models->add_subcommand("show", "Show a version and its evidence");
    show->add_option("VERSION", show_.version, "name, or name@N")->required();
    show->add_flag("--json", show_.is_json, "print JSON");
    show->callback([this] { command_ = show_; });
    CLI::App* diff = models->add_subcommand("diff", "Show what differs between two versions");
    diff->add_option("BEFORE", diff_.before, "name, or name@N")->required();
    diff->add_option("AFTER", diff_.after, "name, or name@N")->required();
    diff->add_flag("--json", diff_.is_json, "print JSON");
    diff->callback([this] { command_ = diff_; });
  }

  void AddParity() {
    CLI::App* parity =
        app_.add_subcommand("parity", "Look at what a native form answers otherwise");
    parity->require_subcommand(1);
    CLI::App* show = parity->add_subcommand("show", "Show what was compared, and the worst rows");
    show->add_option("VERSION", show_parity_.version, "name, or name@N")->required();
    show->add_flag("--json", show_parity_.is_json, "print JSON");
    show->callback([this] { command_ = show_parity_; });
    CLI::App* accept =
        parity->add_subcommand("accept", "Make a native version of one that differs on few rows");
    accept->add_option("VERSION", accept_.version, "name, or name@N")->required();
    accept->add_option("--share", accept_.share, "share of rows that may differ, as 0.001")
        ->required();
    accept->add_option("--because", accept_.because, "why that is good enough")->required();
    accept->add_flag("--json", accept_.is_json, "print JSON");
    accept->footer(
        "The version given stays as it is; the next one answers natively. Who accepted what, and "
        "why, stands in it and in the audit log.");
    accept->callback([this] { command_ = accept_; });
  }

  void AddRuns() {
    CLI::App* runs = app_.add_subcommand("runs", "Look at trainings");
    runs->require_subcommand(1);
    CLI::App* list = runs->add_subcommand("list", "List the newest trainings");
    list->add_option("MODEL", runs_.model, "of this model only");
    list->add_option("-n", runs_.count_max, "how many (20)")->check(CLI::Range(1, 100'000));
    list->add_flag("--json", runs_.is_json, "print JSON");
    list->callback([this] { command_ = runs_; });
    CLI::App* show = runs->add_subcommand("show", "Show a training");
    show->add_option("RUN", show_run_.id, "its id, or the beginning of it")->required();
    show->add_flag("--json", show_run_.is_json, "print JSON");
    show->callback([this] { command_ = show_run_; });
  }

  void AddData() {
    CLI::App* data = app_.add_subcommand("data", "Look at a source of rows");
    data->require_subcommand(1);
    data->footer(
        "A source: data/*.csv, x.parquet, x.jsonl.gz, sqlite:///x.db#table, "
        "duckdb:///x.duckdb#table, x.csv?query=SELECT a FROM data");
    CLI::App* head = data->add_subcommand("head", "Print the first rows");
    head->add_option("URI", head_.uri, "source, as penstock.read takes it")->required();
    head->add_option("-n", head_.rows_max, "how many rows (10)")
        ->check(CLI::Range(int64_t{1}, kHeadRowsMax));
    head->add_flag("--json", head_.is_json, "print JSON, an object a row");
    head->callback([this] { command_ = head_; });
    CLI::App* schema = data->add_subcommand("schema", "Print the columns and their types");
    schema->add_option("URI", schema_.uri, "source, as penstock.read takes it")->required();
    schema->add_flag("--json", schema_.is_json, "print JSON");
    schema->callback([this] { command_ = schema_; });
  }

  void AddDoctor() {
    CLI::App* command = app_.add_subcommand("doctor", "Check the installation and the registry");
    command->add_flag("--json", doctor_.is_json, "print JSON");
    command->callback([this] { command_ = doctor_; });
  }

  void AddReadRows() {
    CLI::App* command =
        app_.add_subcommand("read-rows", "Write a database to standard output as Arrow IPC");
    command->group("");
    command->add_option("URI", read_rows_.uri, "sqlite:///path#table")->required();
    command->callback([this] { command_ = read_rows_; });
  }

  CLI::App app_;
  Command command_;
  RegisterArguments register_;
  InitCommand init_;
  TrainArguments train_;
  CheckArguments check_;
  ServeCommand serve_;
  PredictCommand predict_;
  ListCommand list_;
  ShowCommand show_;
  ShowParityCommand show_parity_;
  AcceptParityCommand accept_;
  DiffCommand diff_;
  RunsCommand runs_;
  ShowRunCommand show_run_;
  DataHeadCommand head_;
  DataSchemaCommand schema_;
  DoctorCommand doctor_;
  ReadRowsCommand read_rows_;
};

}  // namespace

Result<Command> ParseCommandLine(const std::vector<std::string>& arguments) {
  return Tree().Parse(arguments);
}

}  // namespace penstock::cli
