//! The words that stand for each concept, in the languages in which servers were met. No cause is chosen here, and
//! no whole sentence of a server stands here.

use super::words::Concept;

/// Negations.
pub(super) const NOT: Concept = &[
    "not | no | cannot | cant | couldnt | never | without | unable | isnt | wasnt | doesnt",
    "didnt | dont | arent | hasnt | havent | neither | nor | non | nicht | kein* | pas | ne",
    "nao | ni | не | нет | 不 | 未 | 无",
];
/// To be let do something.
pub(super) const ABLE: Concept = &[
    "enabl* | allow* | permi* | activ* | accept* | support* | available | authori* | open*",
    "possible | entitled | eligible | subscribed | included | provisioned | erlaubt | aktiv*",
    "autoris* | habilitad* | activad* | zugelassen | 开",
];
/// To be out of use on purpose.
pub(super) const OFF: Concept = &[
    "disabl* | deactivat* | switched off | turned off | is off | denied | deny | denies",
    "blocked | forbid* | forbidden | prohibit* | no longer | deprecat* | retired",
    "unsupported | inactive | turn on | switch on | please enable | yet to enable",
    "must be enabled | needs to be enabled | not been enabled | unauthorized | desactiv*",
    "deshabilit* | desabilit* | deaktivier* | gesperrt | отключ* | 关 闭 | 禁",
];
/// What belongs to a customer as a whole.
pub(super) const ACCOUNT: Concept = &[
    "account* | acct | mailbox* | user | users | your login | login is | login has been",
    "logins are | subscription | customer | member* | konto | postfach | compte | cuenta",
    "conta | аккаунт* | ящик* | 账 户 | 帐 号 | 账 号",
];
/// Taken out of use for a reason that lies with a person.
pub(super) const SHUT: Concept = &[
    "lock* | suspen* | disabl* | deactivat* | delet* | closed | inactive | terminat* | frozen",
    "freez* | blocked | restrict* | banned | paused | on hold | under review | not approved",
    "unpaid | overdue | expired | probation | flag* | canceled | cancelled | abandoned | quarantin*",
    "gesperrt | deaktiviert | bloqu* | suspendid* | desactiv* | deshabilit* | заблокирован*",
    "冻 结 | 封",
];
/// A customer who has not paid, or not yet done what opens the account.
pub(super) const TO_ACTIVATE: Concept = &[
    "activate your | activate the account | activate account | verify your account",
    "validate your account | complete your | not yet been activated | not been activated",
    "not activated | not yet active | not active | payment | billing | invoice | unpaid",
    "upgrade your",
];
/// A secret, and the name that goes with it.
pub(super) const CREDENTIAL: Concept = &[
    "password* | passwd | passphrase | credential* | username* | user name* | userid",
    "user id | pass phrase | invalid login | invalid logon | login incorrect | passwort",
    "kennwort | benutzername | zugangsdaten | mot de passe | identifiant* | contrasena",
    "usuario | senha | wachtwoord | haslo | парол* | логин* | 密 码",
];
/// Not what it should be.
pub(super) const WRONG: Concept = &[
    "wrong | incorrect* | invalid | bad | mismatch* | reject* | unknown | fail* | denied",
    "refused | error | not match | not accepted | no longer valid | unrecognized | falsch",
    "ungultig* | erron* | invalid* | errad* | неверн* | 错 误",
];
/// Proving who one is.
pub(super) const SIGN_IN: Concept = &[
    "login* | logon* | log in | logged in | logging in | logged on | sign in | signin",
    "signed in | sign on | auth | authent* | unauthent* | reauth* | authori* | anmeld*",
    "авториз* | 登 录",
];
/// A password for programs.
pub(super) const APP_PASSWORD: Concept = &[
    "application specific | app specific | app password* | apppassword*",
    "application password* | password for app* | passwords for app* | password for external",
    "external password* | external app* | device password* | device specific",
    "client password | generated password | authorization code | authorisation code",
    "auth code | authcode | client authorization | parol prilozh* | anwendungsspezifisch*",
    "app passwort* | app kennwort* | anwendungspasswort* | mot de passe d application",
    "mot de passe dapplication | contrasena de aplicacion* | contrasena de la aplicacion",
    "senha de app* | password per app | пароль приложени* | пароль для внешн* | 授 权 码",
    "客 户 端 授 权 | 专 用 密 码",
];
/// A second proof beside the password.
pub(super) const SECOND_FACTOR: Concept = &[
    "two factor | 2 factor | 2fa | two step | 2 step | 2sv | second factor | multi factor",
    "multifactor | mfa | tfa | totp | zwei faktor",
];
/// Signing in by a password.
pub(super) const BASIC: Concept = &[
    "basic auth* | basicauth* | legacy auth* | legacy protocol* | plain auth*",
    "password auth* | password login* | password log* | password sign* | password based",
    "passwords | login with password | auth with password | username and password auth*",
    "username password auth*",
];
/// Signing in by a token.
pub(super) const OAUTH: Concept = &["oauth* | xoauth* | modern auth* | token based | openid"];
/// A demand.
pub(super) const REQUIRED: Concept = &[
    "require* | requiring | must | need | needs | needed | use | only | enforce* | mandatory",
    "instead | first | please | necessary | expected | erforderlich | requis* | necesari*",
];
/// Reading by IMAP or POP.
pub(super) const IMAP: Concept = &["imap* | pop | pop3"];
/// Sending by SMTP.
pub(super) const SMTP: Concept = &["smtp | smtpauth | smtpclient* | smtps"];
/// Encryption of the connection.
pub(super) const ENCRYPTION: Concept = &[
    "starttls | tls | ssl | encrypt* | unencrypted | secure connection | secure channel",
    "cleartext | plaintext | clear text | plain text | verschlussel*",
];
/// A way to sign in.
pub(super) const MECHANISM: Concept = &[
    "mechanism* | auth type | authentication type | authentication method* | auth method*",
    "sasl method*",
];
/// Something that does not happen every day.
pub(super) const UNUSUAL: Concept = &[
    "suspicious* | unusual | unrecognized device | unrecognised device",
    "unrecognized location | less secure | verify your identity | verify your account",
    "verify that it | verify its you | confirm your identity | confirm that it",
    "confirm its you | captcha | robot | geographic* | geoip | geo | country | countries",
    "new device | unknown device | new location | brute force | bruteforce | hacked",
    "compromis* | untrusted | unsafe | insecure app* | fraud* | malicious | security reasons",
    "unauthorized ip | verdachtig* | ungewohnlich* | sospechos* | suspect*",
];
/// The network address that one comes from.
pub(super) const ADDRESS_OF_ORIGIN: Concept =
    &["ip | ips | ip address* | ipv4 | ipv6 | host | hostname | network*"];
/// What a person sets in a mail program.
pub(super) const SETTINGS: Concept = &[
    "settings | configuration | configured | server settings | setup | einstellungen",
    "parametres | configuracion | configuracao | impostazioni | настройки",
];
/// A person is asked to look at something, or told that it is not right.
pub(super) const TO_CHECK: Concept = &[
    "verify | check | review | correct | incorrect | wrong | invalid | change | adjust | update",
    "prufen | uberprufen | verifiez | verifique | compruebe | revise | controlla* | проверьте",
];
/// A rule that somebody in charge made.
pub(super) const RULE: Concept = &[
    "polic* | rule* | administrator* | admin | admins | administrative* | organization*",
    "organisation* | tenant* | security defaults | richtlinie*",
];
/// A rule that is known by this name alone.
pub(super) const NAMED_RULE: Concept =
    &["conditional access | ip restriction* | access polic* | ip whitelist | ip allowlist"];
/// To be stopped.
pub(super) const STOPPED: Concept = &[
    "block* | restrict* | denied | deny | denies | forbid* | prohibit* | disabl* | reject*",
    "prevent* | enforced | violat* | disallow* | refus* | not allow* | not permit*",
    "not authori*",
];
/// A person's browser, and the provider's own pages.
pub(super) const BROWSER: Concept = &[
    "web browser* | webbrowser* | browser* | web login | weblogin | log in via web",
    "login via web | via the web | webmail | web interface | web mail | web site | website",
    "on the web | web portal | control panel | 网 页",
];
/// Conditions of use.
pub(super) const TERMS: Concept = &[
    "terms | tos | user agreement | license agreement | terms of service",
    "nutzungsbedingungen",
];
/// A token or what it stands for.
pub(super) const TOKEN: Concept = &[
    "token* | refreshtoken | accesstoken | the grant | grant is | bearer",
    "authorization grant | consent | session*",
];
/// Over for good.
pub(super) const ENDED: Concept = &[
    "expir* | revok* | revoc* | invalid | no longer | not valid | isnt valid | inactive",
    "not found | unknown | malformed | reused | reuse | already used | been used | rejected",
    "not accepted | denied | bad | not active | does not exist | doesnt exist | deleted",
    "removed | rotated",
];
/// A measure that may be used up.
pub(super) const LIMIT: Concept = &[
    "limit* | quota* | submissionquota | allowance | threshold* | maximum | max | credit*",
    "capacity | allotment | kontingent | versandlimit | limite | limites | limiet | лимит*",
    "限 制 | 上 限",
];
/// Used up.
pub(super) const OVER: Concept = &[
    "exceed* | reach* | over | used up | hit | exhaust* | beyond | above | no more | depleted",
    "out of | excess | uberschritten | erreicht | ausgeschopft | depass* | atteint*",
    "superad* | excedid* | превышен* | 超 过 | 超 出",
];
/// More than is wanted.
pub(super) const TOO_MANY: Concept = &[
    "too many | too much | too frequent* | too fast | too quick* | too often | too rapid*",
    "excessive* | to many | zu viele | trop de | trop d | demasiad* | troppi | troppe",
    "muitas | слишком много | 频 繁",
];
/// A measure over a short time.
pub(super) const RATE: Concept = &[
    "rate | rates | ratelimit* | throttl* | slow down | slowdown | concurren* | simultaneous*",
    "frequen* | flood* | burst | per hour | an hour | hourly | per minute | this hour",
    "per second | velocity | bandwidth | volume | peak | 频 率",
];
/// Said of a rate and of nothing else.
pub(super) const SLOWED: Concept = &[
    "rate limit* | ratelimit* | ratelimited | throttl* | slow down | slowdown | rate exceeded",
    "rate control* | sending rate | unusual rate | concurren* | simultaneous* | per hour",
    "this hour | hourly | per minute | per second | flood* | volume | peak | too fast",
    "too quickly | too frequent* | too often | back off",
];
/// A measure over a day or longer.
pub(super) const DAY: Concept = &[
    "daily | per day | a day | day | todays | 24 hours | 24 hour | 24h | 24hrs | monthly",
    "per month | this month | weekly | taglich* | tages* | diari* | journalier* | quotidien*",
    "giornalier* | dia",
];
/// Messages that leave.
pub(super) const SENDING: Concept = &[
    "send* | sent | submission* | submit* | outgoing | outbound | mail | mails | email*",
    "e mail* | message* | recipient* | relay* | versand* | envoi* | envio*",
];
/// Messages that leave, told from those that come.
pub(super) const OUTGOING: Concept = &[
    "send | sends | sending | outgoing | outbound | submission* | versand* | smtp service",
    "mail service | email service | relay service",
];
/// Connections and what is said over them.
pub(super) const CONNECTIONS: Concept = &[
    "connection* | connexion* | verbindung* | conexion* | session* | command* | request*",
    "logins | login* | logon* | auth* | simultaneous* | helo | hello | commands",
];
/// Attempts that failed.
pub(super) const FAILED_ATTEMPT: Concept = &[
    "attempt* | failure* | failed | bad log* | bad auth* | invalid log* | invalid pass*",
    "login fail* | auth fail* | authentication fail* | auth error* | authentication error*",
    "wrong pass* | login error* | incorrect* | tries | authentication errors | auth errors",
    "versuch* | fehlversuch* | tentativ* | intentos",
];
/// Many, of attempts.
pub(super) const REPEATED: Concept = &[
    "too many | too much | to many | exceed* | repeated* | multiple | several | many",
    "maximum | consecutive | zu viele | trop de | demasiad* | troppi",
];
/// Connections that are open at once, which are no failures.
pub(super) const AT_ONCE: Concept =
    &["connection* | simultaneous* | concurren* | session* | command* | commands"];
/// A mailbox that mail goes to.
pub(super) const RECIPIENTS_OWN: Concept = &[
    "recipients | recipient mailbox | recipient address | recipient | receiv*",
    "trying to contact | trying to reach | tried to reach | tried to contact | addressee",
    "destination* | rcpt | user unknown | unknown user | no such user | no such recipient",
    "mailbox for user",
];
/// Of the mailbox that mail goes to: how much it may receive.
pub(super) const RECEIVES: Concept = &[
    "recipients mail* | recipients inbox | recipients account | recipients quota",
    "recipients server | recipients domain | recipients limit | is receiving | receiving mail",
    "receiving | received by | to receive | trying to contact | tried to reach",
    "trying to reach | recipient domain | rcpt domain | recipient rate | recipient is",
    "recipient has | recipient mailbox | mailbox for user | mailbox is full | mailbox full",
];
/// Passing by itself.
pub(super) const TEMPORARY: Concept = &[
    "temporar* | temporal* | transient* | vorubergehend* | provisoire* | momentan*",
    "at present | at this time | currently | right now | for now | временно* | 暂 时",
];
/// Another try is invited.
pub(super) const LATER: Concept = &[
    "try again | try later | retry later | again later | retry in | retry after | try back",
    "come back | later time | please retry | try your | spater | plus tard | mas tarde",
    "mais tarde | piu tardi | позже | позднее | 稍 后",
];
/// A fault of the server itself.
pub(super) const TROUBLE: Concept = &[
    "internal error* | internal failure | internal server | internal problem | server error*",
    "system error* | system problem* | server problem* | technical problem*",
    "technical difficult* | unexpected error* | backend* | back end | service not available",
    "not available right | out of service | out of order | storage | service unavailable",
    "server unavailable | is unavailable | currently unavailable | unavailable at | overload*",
    "busy | too much load | load average | high load | timed out | timeout | time out",
    "maintenance | ldap | database | db error | lost connection | connection lost",
    "connection reset | connection refused | connection closed | authentication server",
    "auth server | auth service | authentication service | authentication process",
    "not responding | no response | unreachable | shutting down | shutdown | shut down",
    "restart* | resource* | out of memory | disk full | server bug | crash*",
    "could not be verified | wartung* | uberlast* | indisponible | no disponible | 系 统",
];
/// A connection between servers that did not come about.
pub(super) const SERVERS: Concept = &["server* | backend* | service | authd | upstream"];
/// Spoilt, of a connection.
pub(super) const LOST: Concept = &[
    "fail* | lost | refused | reset | closed | broken | cannot | cant | could not | unable",
    "error",
];
/// A judgement about a message, or about where it comes from.
pub(super) const JUDGED: Concept = &[
    "spam* | antispam | blacklist* | black list* | blocklist* | block list* | denylist* | rbl",
    "dnsbl | listed | spamhaus | dmarc | spf | dkim | arc | reputation | banned | content*",
    "virus* | malware | phish* | policy reasons | blocked using | unsolicited | bulk",
    "reverse dns | rdns | ptr | rfc 5322 | rfc5322 | header* | attachment* | url* | malformed",
    "reverse hostname | unauthenticated email",
];
/// Somebody's list of addresses from which nothing is taken.
pub(super) const LISTED: Concept = &[
    "blacklist* | black list* | blocklist* | block list* | denylist* | rbl | dnsbl | listed",
    "spamhaus | reputation | banned | blocked | spam* | bloqu* | abuse | bl",
];
/// The proof that a message's domain gives of itself.
pub(super) const DOMAIN_PROOF: Concept = &["dmarc | spf | dkim | arc | ptr | rdns | reverse dns"];
/// The address that a message comes from.
pub(super) const SENDER: Concept = &[
    "sender* | from address* | from header* | header from | from field | from domain | from",
    "envelope from | mail from | return path | sending domain | sending address | send as",
    "sendas | on behalf | send mail as | send mail from | send email from | send from",
    "header address | from this | alias* | absender* | expediteur* | remitente* | mittente",
    "отправител* | 发 件 人",
];
/// Not one's own.
pub(super) const NOT_OWNED: Concept = &[
    "not owned | not own | does not own | doesnt own | not belong* | doesnt belong",
    "not verified | not been verified | unverified | not a verified | not match",
    "not matching | doesnt match | mismatch* | must match | must be same | must be the same",
    "must be one of | must be verified | must be a verified | must be owned | must be your",
    "same as | different from | not allowed | isnt allowed | not permitted | not authori*",
    "unauthori* | not registered | not valid | disallow* | permission* | rights to | denied",
    "spoof* | forged | not your | not one of | unconfigured | not configured | verify failed",
    "verification failed | nicht erlaubt | не принадлежит",
];
/// Acting for another.
pub(super) const SEND_AS: Concept = &[
    "disallowed as | send as | sendas | on behalf | send mail as | send mail from",
    "send email from",
];
/// Passing mail on for strangers.
pub(super) const RELAYING: Concept = &["relay | relaying | relayed | relays | open relay"];
/// Somebody who did not say who he is.
pub(super) const NOT_SIGNED_IN: Concept = &[
    "not authenticated | unauthenticated | not logged in | not logged on | not signed in",
    "authentication required | authentication is required | authentication needed",
    "auth required | must authenticate | authenticate first | must auth",
    "authorization required | login first | log in first | must be authenticated",
    "must be logged | must login | must log in | must sign in | need to authenticate",
    "need to login | need to log in | requires authentication | require authentication",
    "please authenticate | please login | please log in | please auth | use smtp auth*",
    "turn on smtp auth* | enable smtp auth* | without authentication | before sending",
    "authentication credentials missing | anonymous | need auth | auth first",
    "smtp auth first | pop before smtp",
];
/// Room for mail that is used up.
pub(super) const FULL: Concept = &[
    "over quota | overquota | quota exceeded | quota is exceeded | mailbox full",
    "mailbox is full | no space | out of space | disk quota | storage quota | full mailbox",
    "quota full | exceeded its quota | exceeded quota | postfach voll",
];
/// A message's size.
pub(super) const SIZE: Concept =
    &["size | too big | too large | larger than | message limit exceeded | exceeds fixed"];
/// Nobody of that name.
pub(super) const NOT_THERE: Concept = &[
    "does not exist | doesnt exist | not exist | must be added | needs to be added",
    "not found | unknown",
];
/// What a service grants to whom.
pub(super) const ACCESS_RIGHTS: Concept = &[
    "access right* | access to this service | to this service | has no permission",
    "no access right* | service is not",
];
/// Postfix's name for the address that one comes from.
pub(super) const CLIENT_HOST: Concept = &["client host | client address"];
/// The name that one says hello with.
pub(super) const HELLO: Concept = &["helo | ehlo"];
/// Postfix's name for the name that one signed in with.
pub(super) const SASL_LOGIN: Concept = &["sasl login name | sasl login | sasl username"];
/// Postfix's name for the address of MAIL FROM.
pub(super) const SENDER_ADDRESS: Concept = &["sender address"];
/// Postfix's name for the address of RCPT TO.
pub(super) const RECIPIENT_ADDRESS: Concept = &["recipient address"];
/// Bad intent, of an address or a sign-in.
pub(super) const MALICE: Concept = &["malicious | suspicious"];
/// What another person is to do, said to whoever reads it.
pub(super) const ASKED: Concept = &[
    "contact support | contact us | contact customer* | contact your | contact the",
    "log in to your | log into your | please activate | please verify | please upgrade",
    "please update | please pay | resolve | reactivate | unblock",
];
/// An address or a domain that is one's own.
pub(super) const ADDRESS: Concept = &["email address* | address* | domain* | identit*"];
/// Not proved to be one's own.
pub(super) const NOT_PROVED: Concept = &[
    "not verified | not been verified | unverified | not owned | not own | doesnt own",
    "not belong* | not confirmed | not a verified | not match a verified | not registered",
];
/// The reader of an answer, and what is his.
pub(super) const READER: Concept = &["you | your | user | account | domain"];
