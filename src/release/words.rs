//! The words around a version, in English, Korean, Japanese and Chinese: which release it and which speak of another one.
use super::scan::pattern;
use regex::Regex;
use std::sync::LazyLock;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $($text:expr),+;)+) => {
        $($(#[$doc])* pub(super) static $name: LazyLock<Regex> = LazyLock::new(|| pattern(concat!($($text),+)));)+
    };
}

/// What calls an app's own version, between a verb and the version.
macro_rules! noun { () => { r"(?:version|versions|ver\.?|release|rel|tag|number|numbers|code|name|of|the|our|this|new|next|app|application|project|package|pkg|candidate|in|package\.json|cargo\.toml|pyproject\.toml|pom\.xml|gradle\.properties)" } }

/// Verbs and nouns that release, or raise, an app's version.
macro_rules! release { () => { r"(?:releas(?:e|es|ing|ed)|rel|deploy(?:s|ing|ed|ment)?|publish(?:es|ing|ed)?|ship(?:s|ping|ped)?|launch(?:es|ing|ed)?|roll(?:ing)? ?out|rollout|cut(?:ting)?|tag(?:ging|ged)?|versions?(?: (?:bump|up|update|upgrade))?|ver\.?|bump(?:s|ing|ed)?|(?:set|setting|rais(?:e|ing)|increas(?:e|ing)|increment(?:ing)?|chang(?:e|ing)|updat(?:e|es|ed|ing)|upgrad(?:e|es|ed|ing)|up)(?: (?:the|our|this|app|application|project|package|pkg))* (?:version|ver\.?)|(?:prepar(?:e|es|ing)|mak(?:e|ing)|creat(?:e|ing)|start(?:ing)?|finish(?:ing)?|finali[sz](?:e|ing)|draft(?:ing)?)(?: for)?(?: (?:the|a|new|next|our))* (?:release|rel|version|tag|deployment)|prepare(?: for)?|hotfix(?: release)?|(?:new|next|patch|minor|major|stable|first|initial|official|final|production|prod)(?: (?:patch|minor|major|stable|production|prod))* (?:release|version|deploy(?:ment)?)|go(?:ing)?[- ]live(?: with)?|版本号?|發布|发布|發佈|发佈|发版|發版|上线|上線|部署|推出|正式版|배포|운영 ?배포|정식 ?배포|운영 ?반영|릴리즈|릴리스|출시|버전 ?업|버전|버젼|핫픽스|リリース|デプロイ|公開|本番反映|バージョン(?:アップ)?|ホットフィックス)" } }

words! {
    /// A conventional commit's type (conventionalcommits.org), or a team's own, as in `Feat/#12:`.
    TYPE = r"^(?P<type>[A-Za-z]+)(?:[/#][\w#/-]*)?(?:\((?P<scope>[^()]*)\))?!?\s?:\s+";
    /// Ticket numbers, emoji, shortcodes, markup and tags in brackets before the first word.
    DECORATION = r"^(?:\[[^\[\]]{0,40}\]\s*|:[a-z0-9_+-]+:\s*|#\d+[:\s]\s*|[A-Z][A-Z0-9]+-\d+[:\s]\s*|\(#\d+\)\s*|Merged PR \d+:\s+|Pull request #\d+:\s+|[\s#*_`>\x22'“”‘’«»{\-–—•·~:|]+|[\p{So}\p{Sk}\u{fe0f}\u{200d}]+)";
    /// What may follow a version at the end of a subject: the number of a pull request, a word for the CI, a full stop.
    TRAILER = r"(?i)^(?:\s|\(#\d+\)|\(!\d+\)|#\d+|\[(?:skip ci|ci skip|no ci|skip actions|actions skip|skip release)\]|\*\*\*NO_CI\*\*\*|[.!。！\u{1f300}-\u{1faff}✨⚡☀-➿\u{fe0f}`*_\x22'”’」』»)\]])*$";
    /// Words that release, from the start of the subject or after a separator, up to the version.
    RELEASES = r"(?i)(?:^|\s[-–—|&+/]\s+|[:,;(\[]\s*|\b(?:and|then)\s+)(?:(?:the|a|an|our)\s+)?", release!(), r"(?:\s+", noun!(), r"|\s+(?:to|for|on)\s+(?:production|prod|live|main|master)|\s+(?:production|prod|backend|frontend|api|server|web|client|admin|worker)(?:[-\w]*))*(?:\s+from\s+v?[0-9][\w.+-]*)?(?:\s+(?:to|up\s+to|as|number|is|=|->|→|=>))?[\s:=#/]*[-–—]?\s*[\x22'`(\[「『《“‘*_]*$";
    /// In Korean, Japanese and Chinese a word may touch the version, and what is released comes first.
    RELEASES_BEFORE = r"(?:^|[\s:|,;(\[—–-])(?:新|정식|최종|運用|本番)?(?:버전|버젼|배포|릴리즈|릴리스|출시|バージョン|リリース|デプロイ|(?:发布|發布|上线|上線|推出)?新?(?:版本|版)(?:更新|升级|升級|发布|發布)?|版本号|版本號|发布|發布|發佈|上线|上線|部署|发版|發版)(?:을|를|은|는|이|の|を|は|到|至|为|為|更新为|更新到|升级到|升级为|升级至|변경|업|업데이트|アップ)*\s*(?::|=|→|->)?\s*[\x22'`(\[「『《]*$";
    /// A conventional commit by a tool that makes releases: release-please with a component, `chore(release): publish v1.2.3`.
    TOOL = r"(?i)^(?:(?:chore|build|ci|release|bump|misc)(?:\([^()]*\))?!?:\s*)?(?:(?:release|releases|publish|release package)(?:\s+(?:[\w./@-]*[A-Za-z][\w./@-]*)(?:\s+version)?)?|version|bump|prepare(?: for)?(?: release)?|(?:bump|set|setting|update) version(?: to)?:?|\(cargo-release\) version)(?:\s+v?[0-9][\w.+-]*\s*(?:->|→|to))?[\s:]*$";
    /// Maven's and Gradle's release plugins.
    PLUGIN = r"(?i)^(?:\[maven-release-plugin\]\s*prepare release (?:[\w.-]*[A-Za-z_]-?)?|\[gradle release plugin\]\s*-\s*pre tag commit:\s*')$";
    /// A line of a description, or a trailer: `Version: v1.2.3`.
    LABEL = r"(?i)^(?:", release!(), r"|릴리즈 버전|배포 버전|リリースバージョン|リリース版|发布版本|發布版本)(?:\s+", noun!(), r")*[\s:：=-]*$";

    /// After the version: it is released.
    RELEASED = r"(?i)^\s*(?:(?:을|를|이|가|으로|로|の|を|が|に|版|版本|version|ver\.?|버전|バージョン)\s*)*(?:release[ds]?|deploy(?:ed|ment)?|hotfix|배포|릴리즈|릴리스|출시|업데이트|반영|リリース|公開|デプロイ|配信|バージョンアップ|发布|發布|發佈|上线|上線|部署|发版|發版|更新)";
    /// After the version, or after its release: something else happened with it.
    AFTERWARDS = r"(?i)^\s*(?:(?:version|ver\.?|release|deploy(?:ment)?|버전|배포|릴리즈|릴리스|업데이트|リリース|デプロイ|バージョン|版本?|发布|發布|上线|部署)\s*)?(?:['’]s\b|(?:is|was|are|were|has|had|have|does|doesn['’]?t|did|didn['’]?t|isn['’]?t|wasn['’]?t|can|can['’]?t|cannot|could|should|shouldn['’]?t|will|won['’]?t|would|may|might|must|need(?:s|ed)?|require[ds]?|requires|break[s]?|broke|crash(?:es|ed)|fail(?:s|ed)|introduced|caused|regress\w*|compat\w*|cancel\w*|abort\w*|postponed|delayed|rollback|rolled back|reverted|yanked|withdrawn|notes?\b|changelog|docs?\b|documentation|migration guide|or (?:later|newer|above|higher|up|greater|older|below|earlier)|and (?:later|newer|above|higher|up|greater|older|below|earlier)|only)\b|(?:release )?notes\b)";
    /// The same in Korean, Japanese and Chinese, where it touches the version.
    PARTICLES = r"^\s*(?:(?:을|를|を|の)\s*)?(?:(?:버전|배포|릴리즈|릴리스|업데이트|バージョン|リリース|デプロイ|版本|版|发布|發布|發佈|上线|上線|部署)\s*)?(?:에서|에서의|부터|까지|이후|이전|이상|이하|미만|보다|의\s|에는?\s|에도|(?:으로|로)부터|이 필요|가 필요|필요|후(?:\s|에)|전(?:\s|에)|뒤(?:\s|에)|시\s|중\s|중에|취소|연기|실패|롤백|되돌|철회|노트|문서|기준|호환|대응|(?:で|に|から|まで|より|以降|以前|以後|以上|以下|未満|における|において|での|からの|までの)(?:[^リ公デ本]|$)|後(?:に|の)|前(?:に|の)|時(?:に|の)|の(?:不具合|バグ|問題|障害|修正|エラー|クラッシュ|機能|変更|ドキュメント)|ノート|が必要|延期|中止|取り消し|取消|ロールバック|対応|中(?:的|の|出|引|に|で|,|$)|里|之前|之后|之後|以后|以後|以来|以來|以上|以下|及以上|或更高|开始|開始|起|引入|才|的|失败|失敗|回滚|回滾|撤销|撤銷|推迟|说明|說明|文档|文檔)";
    /// A word that makes a pre-release of it, and should be a part of it.
    PRE_RELEASE = r"(?i)^\s*[(\[]?\s*(?:alpha|beta|rc\.?\s?\d*|release candidate|pre-?release|preview|canary|nightly|snapshot|dev|알파|베타|미리보기|프리뷰|테스트 ?버전|アルファ|ベータ|プレビュー|β|α|测试版|測試版|内测|公测|预览|預覽|候选|預發布|预发布)(?:[\s\d)\].,:!·-]|版|버전|$)";
    /// It is the start of a range, or the version before the new one.
    RANGE = r"^\s*(?:->|→|⇒|=>|➜|➡|>|\.{2,3}|…|~|〜|～|–|—|-|to|에서|から|到|至)\s*(?:[vV][0-9]+\.[0-9]|[0-9]+\.[0-9]+\.[0-9])";
    /// It is the end of one: what stands before the range is `rest`.
    RANGE_END = r"(?i)^(?P<rest>.*?)(?:\bfrom\s*|从\s*|從\s*)?[v]?[0-9]+\.[0-9][\w.+-]*\s*(?:->|→|⇒|=>|➜|➡|>|\.{2,3}|…|~|〜|～|\bto\b|에서|から|到|至)\s*$";
    /// Before the version: it is another's, or another one of this app.
    SPEAKS_OF = r"(?i)(?:\b(?:in|into|inside|from|to|since|until|till|before|after|than|through|via|with|without|within|on|onto|for|at|of|by|like|as|between|versus|vs\.?|using|use[sd]?|requir(?:e|es|ed|ing)|need(?:s|ed)?|support(?:s|ed|ing)?|depends?|against|under|over|per|above|below|beyond|only|is|was|are|were|be|has|have|had|affect(?:s|ed|ing)?|if|when|while|because|about|regarding|see|cf\.?|e\.g\.|i\.e\.|both|either|not|compatible|incompatible|min(?:imum)?|max(?:imum)?|least|most|exactly|older|newer|earlier|later|older than|broke|broken|breaks)|[<>=~^≥≤]=?|[$#]|에서|부터|から|より|自从|自從|在|从|從|自|于|於|到|至|低于|高于|基于|需要|要求|依赖|兼容|支持|使用|修复|修復|修正|회귀)\s*(?:(?:the|a|an|our|this|that|which|any|all|every|old|last|latest|previous)\s+)*(?:(?:release|version|versions|ver\.?|tag|버전|バージョン|版本)\s*)*[\x22'`(\[「『《“‘*_]*$";
    /// The release is not to be, or has been.
    NOT = r"(?i)(?:\b(?:don['’]?t|do not|not|never|cancel\w*|abort\w*|postpon\w*|delay(?:s|ed)?|skip(?:s|ped)?|undo|withdraw\w*|yank\w*|unpublish\w*|untag\w*|todo)\b|취소|연기|롤백|되돌|取り消|取消|中止|延期|ロールバック|撤销|撤銷|回滚|回滾|不要|推迟|暂缓|修复|修復)";
    /// Software that everybody uses, and names that have a path.
    PRODUCT = r"(?i)(?:^|[\s(\[,:])(?:node(?:\.?js)?|deno|bun|npm|yarn|pnpm|nvm|react(?: native)?|next(?:\.?js)?|nuxt|vue|angular|svelte|nest(?:\.?js)?|express|webpack|vite|babel|eslint|prettier|jest|typescript|ts|javascript|python|py|pip|django|flask|fastapi|ruby|rails|php|laravel|symfony|java|jdk|kotlin|gradle|maven|spring(?: boot)?|scala|go|golang|rust|cargo|swift|dart|flutter|docker(?: compose)?|compose|buildx|podman|kubernetes|k8s|helm|terraform|ansible|nginx|apache|caddy|traefik|redis|valkey|postgres(?:ql)?|mysql|mariadb|mongo(?:db)?|sqlite|kafka|rabbitmq|elastic(?:search)?|graphql|grpc|openapi|swagger|api|apis|protocol|schema|spec|tls|ssl|https?|ssh|openssl|openssh|ipv?|oauth|ubuntu|debian|alpine|kernel|electron|prisma|sentry|lodash|axios|actions?|(?:[\w.-]+/)+[\w.-]+|@[\w./-]+|[\w-]+\.(?:js|py|rb|go|rs|net))\s*(?:(?:version|ver\.?)\s*)?[\x22'`(\[]*$";

    /// A subject that takes back.
    REVERTS = r"(?i)^(?:revert(?:s|ed|ing)?|reapply|back(?:ed|ing)? ?out|roll(?:s|ed|ing)? ?back|rollback|undo|git revert|롤백|되돌림|되돌리기|リバート|ロールバック|差し戻し|回滚|回滾|回退|撤销|撤銷|还原|還原)(?:\b|\s|:|[\x22“「v]|$)";
    /// A subject that is no finished commit.
    UNFINISHED = r"(?i)^(?:(?:fixup|squash|amend)! |\[?(?:wip|draft|do not merge|dnm)\]?\b)";
    /// A subject of a dependency bot, by its mark.
    BOT = r"(?i)^(?:\[(?:snyk|renovate|dependabot|security|pre-commit\.ci|pyup|depfu|mend|whitesource|scala-steward)[^\]]*\]|(?:\w+)?\((?:[\w-]+[-/])?(?:deps|dev-deps|deps-dev|dependencies|dependency|peer-deps|optional-deps|renovate)(?:[-/][\w-]+)?\)!?:|(?:deps|deps-dev|dependencies)(?:\([^)]*\))?!?:|:arrow_(?:up|down):|⬆|⬇|(?:update|pin|lock) dependenc(?:y|ies)\b|lock ?file maintenance|pin (?:dependency|docker|github|dependencies)\b|go\.mod:|의존성|依存(?:関係|パッケージ)|依赖)";
    /// The branch of a dependency bot.
    BOT_BRANCH = r"(?i)[\s'/:](?:dependabot|renovate|snyk-(?:fix|upgrade)|depfu|pyup|greenkeeper|scala-steward|whitesource|deps?|dependencies)[-/]";
    /// An author who only ever raises dependencies.
    BOT_AUTHOR = r"(?i)^(?:dependabot|renovate|snyk|pyup|depfu|greenkeeper|scala-steward|mend|whitesource|pre-commit-ci|deepsource-autofix)(?:[-\w]*)?(?:\[bot\])?$";
    /// A raise of something that has a name.
    RAISES = r"(?i)^(?:(?:auto-?)?bump(?:s|ed|ing)?|updat(?:e|es|ed|ing)|upgrad(?:e|es|ed|ing)|downgrad(?:e|es|ed|ing)|pin(?:s|ned|ning)?|migrat(?:e|es|ed|ing)|switch(?:es|ed|ing)?|mov(?:e|es|ed|ing)|lock(?:s|ed|ing)?|rais(?:e|es|ed|ing)|replac(?:e|es|ed|ing))\s+(?P<object>.*?)\s*(?:\bfrom\s+\S+\s*|[vV]?[0-9][\w.+-]*\s*)?(?:\bto\b|->|→|=>)\s*(?:version\s+)?$";
    /// The same without a "to": `Bump lodash v4.17.21`.
    RAISES_AT_ONCE = r"(?i)^(?:bump|upgrad|downgrad|pin)(?:e|es|s|ed|ing|ned|ning)?\s+(?P<object>[^\s:(–—-][^\s:(]*(?:\s+[^\s:(–—-][^\s:(]*)?)\s+$";
    /// In Korean, Japanese and Chinese.
    RAISED = r"^\s*(?:으로|로|に|へ)\s*(?:업데이트|업그레이드|버전업|변경|올림|올리|교체|갱신|更新|アップデート|アップグレード|バージョンアップ|変更|上げ)";
    /// Their raise before the version.
    RAISES_CJK = r"^(?:升级|升級|更新|升|降级|降級)\s*(?P<object>\S.*?)\s*(?:版本)?\s*(?:到|至|为|為)?\s*$";
    /// What may be raised and is this app: `version`, `the app version`, `version in package.json`, the number of a build.
    OWN = r"(?i)^(?:(?:the|our|my|this|app|application|project|package|pkg|product|release|current|backend|frontend|server|service|web|site|api|client|to|in|of|for|number|numbers|code|string|package\.json|cargo\.toml|pyproject(?:\.toml)?|pom(?:\.xml)?|build\.gradle|gradle\.properties|setup\.py|chart(?:\.yaml)?|manifest)['’]?s?\s+)*(?:versions?|ver\.?|release|tag|app|application|project|package|pkg|version (?:number|code|name|string)|(?:version )?in (?:package\.json|cargo\.toml|pyproject\.toml|pom\.xml|gradle\.properties|chart\.yaml)):?$";

    /// A merge's subject.
    MERGE = r"(?i)^(?:merge(?:d)?\b|merge pull request #\d+|merged in )";
    /// The branch or tag that a merge names, and what it went into.
    BRANCH = r"(?i)^merged?\s+(?:remote-tracking\s+)?(?:pull request #\d+ from |in |branch |branches |tag |commit |feature |release )?['\x22]?(?P<from>[^\s'\x22]+)['\x22]?(?:\s+of\s+(?P<of>\S+))?(?:\s+into\s+['\x22]?(?P<into>[^\s'\x22]+))?";
    /// A branch for a release, and the version that it is called after.
    RELEASE_BRANCH = r"(?i)^(?:[\w.-]+/)*?(?:(?:(?:release|releases|rel|rc|hotfix|hotfixes|version|versions|deploy|deployment|publish|bump|prod|production|release-please--[\w-]+|changeset-release)[/_-])+v?|v)(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:[-+][\w.+-]*)?)$";
    /// Branches that collect work, where a merged release is not a new one.
    BACK = r"(?i)^(?:origin/)?(?:develop|development|dev|next|feature/.*|feat/.*|fix/.*|release/.*|hotfix/.*)$";

    /// A changesets or Lerna release, whose versions stand below.
    VERSIONS = r"(?i)^(?:(?:chore|ci)(?:\([^)]*\))?:\s*)?(?:version packages|version package|releasing: releasing \d+ package|publish\s*$|release packages|update versions)";
    /// A package's version below it: `## my-app@1.2.3`, ` - my-app@1.2.3`.
    PACKAGE = r"^\s*(?:#+|[-*])?\s*(?:@[\w.-]+/)?[\w.-]+@v?(?P<version>[0-9]+\.[0-9]+\.[0-9]+[\w.+-]*)\s*$";
}
