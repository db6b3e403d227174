"""Database files that Debian's postmap (Postfix 3.7.11, Berkeley DB 5.3, LMDB 0.9) has written, as golden samples.

DESCRIPTION
    FEW   `a` → `b`, `root` → `admin@example.com`
    MANY  `user0@example.com` → `box0` … `user149@example.com` → `box149` without user17, which was taken out
          again; `long` → 6000 times `y`, which lies on pages of its own

    Keys and values end in a NUL.
"""

import base64
import zlib
from typing import Final


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode("".join(text.split())))


MANY_USERS: Final = {f"user{number}@example.com": f"box{number}" for number in range(150) if number != 17}

FEW: Final = {
    "hash": _unpacked(
        """
        c-rmR!3se^6vpvy?&8KmV`Hyu<r(a~gBskTjFFI+@NnM1&O6*9!<2A$HmLuv<}{s}v;XEul2PJXx$3t|GoD)NWva@LZRsKnw
        i|W2sb`+%+~36+hy8T;-Uk2x0002rQOWK)Sv5)<D*ylh008)-i0>wTw&)i-=a=)MHx6EA6~g+F|Ff6;U&j1@wy}P^{}=mz00
        0000Dj?1U?k&o1?{pMiU
        """
    ),
    "btree": _unpacked(
        """
        c-rmPF$%&!5QX74Vv1BNo*<3bh~N#p%0^Qtt`SM$F;iMvT3T9(SyoX5Yc2i{mRa5~2Y8ZXO3GQLJbnh<%TxB;y&Ihh=_WPDF
        kVkydG9fcFLwX{0002sckH9D_tiSfuI}Q_u66W(000000RGKT=9gi$omU4RcAILts6)&%*}kruuA^I-y1Mx|@5XKzL;
        """
    ),
    "lmdb": _unpacked(
        """
        c-rmQF$%&!5QX8l3xeH-;5j@)uCkgG0oN6=@O0uKQhS9o>7yhrC@5MOu=u}XW(NiawwsZX`4BJX_GI*AEVEljp^y4IeJS-D0
        RR910D!5ON%w#AV$R6E$=m?|00000_&xjZTBvcIYaG7<00000!2ipKIMY7HgM1n4ZBZS4*lnuiI)=3KTY0T?1>12ea{
        """
    ),
}
MANY: Final = {
    "hash": _unpacked(
        """
        c-rlld#F@Z6o=>Pt=aD_S_vXq8J0ct>@(*vBV<V>C`J}qh$d;?($dtjRO}&GR@eh8Ob`+>j5I70#Eeo3rI(_GV1}S%nw2S)A
        ePxR*P61mpnn1@_6Ndsew;n~d|bHew<?uNrKNI`F=wAyktcrW)c#ML{H(P?>9Xs*O6Au|#ci2BVEyGMKWq8ZIVV`qe#X|P#*
        hB%=aEPx5{X12kw_#Gi9}8hq`Oy+R4ewV|K5M$xB2ycjbGvy`MLffKf#ajL;N+qufNE5_R1f22i$hI#l7uTxy5dwo8xA=+ud
        k4$PI9pxeJ|lRriDa#%{Bl>>B%qU1XoL583<eSUb`VwEb;wd%iWc)gCna%%|ofv)a6F7MbVGY%|lenbBsjx!UwK7n`$;HAnS
        NdYArOZ_w}RWqOHzMnA5n=}CHozEStrrS7S_YoS~80kv0srZ%a!)SK!>^@5tC9#G@e7<HW*s8V&Q>Z&@aU*uuATken><vRJA
        Tq>WH^W=0nMUIlg<p9}F_L4oMmaX!T*e|w;&0?)sB^HZ?;!*LixJ!%^L&YGGi$0>8=pv3+k5u<mcUI%?Q6v(HME)&**vC$u(
        P&g!?z^|`o<`%Uwi#n4O_|u%=eEg{{x&KhDruBMl+&mNQH@3cqCleh$)rvLOqi&EsGv~>QAVQ_qLfAnL<xyX&{R@QC1@(CrV
        =!jR8t9>N~);@O(oR?Z%kjf08IteRNzC*Q=qA!nhMZVP)!ABDyXI$H04xN4w`bRDF;nC)s%y#oNCHJQ%*I(YtgsLKvPCFWuP
        genle0(IS@2uR8t0;GODQtnrc*24K&rLrW$CfQB5__RHK?|ps7YR!QJWAQ_z%BO(|$fsiqV(rBqXjU&VYEXiBN30Ga~T6u?E
        GE<%QnWz2I~iDAivcxuKSTf?x%gaJdUIpBlLbG15VbtWt@ESNCEFk`|L!;}dV3>oDq%1aq}DauP3c`3?E8F?u>NErz!%1aq}
        m~j!x3yi#g@&Y3-puE7y3n(uz@&d{WjJyQpC5*fT<t2=~1mz`+yaeSXjJyN|CDahy_0*eo+&8DKWBXt*wQKuuFmdwTcQpHdh
        g16h!S??Dt^d+*_8a|5|Eho9Kk29Y$$q3C=CAanzrc6%XZU08Yq!gN?A~`P+)_8+J>jOgiSA~1z3b;vcdqN|I=G|uE4$NvVA
        tE_c8Pu3&b3qR1Ut+Qv8C;6yV=h6m^o~An;mAOS!b4;m(6@L&rCN{%qTP53^4snFVn+l(`pXs{d$|;tk>#Qda+)pAJGr$JM}
        m{R1ea*?xVZuF8a7SqV}kr>O=LOTA^N1&#5QX3^i5VqHa=Gt1DD*b%AoKs(zH;$?bBhd`GU9FUdvnF*#dKlx^|`Ian65uk0?
        *ksajEVxQP0J`o$lO0i5V5YLENVw$*Bj1bp~{^AnRQ+Of7;p)NI{Ueb`B=R5F2tX639UW$>1|6vyFi|z=K-GYGszJx8224{8
        I!rZSK55WVsty;d(;L=dj;hl!st!|BoeoiTn4#))gsQ^?Ri^_KR(l$NrjlwZK~qUJm7uAlno7`AQcWdjDygOdG!;}+0e3Ix<
        qObMP)!ABDyXIcG!;}6_IDb9rkrZZK~qjO<)A62nsU&TQ%yN&%Bd!7giImCKFHKTY=cZ0#4gBGL2QCd5yX;C1JJ~jK<t1_1;
        hr(6hQ2MO#Q?5$CN+peoXbl=EoF2?0rn_!`8=?KJ0v4<%2>)1MGWD-NUxWls)WvOx44EP+%590XIS+;|^_}${mXhl35D{+zS
        O}F%)n!6qwaez}-+_mO}xzLxEWjg<5k3!R;VWII|*Zc46j4a7z@JHBrDlQD7ED0XIc~Srvt}`IX#vqC9S0)Z7<w3!{MY0wb@
        vPU7}S&HW9x!1-f8!N|kQa;pNAmoV}Yl$S8_5|o!P@)DGnF!GY-eNMd)_WzDBAhiDe|GmCaof(NlB9TZW5{X12kx1l!0`~vb
        KkWcoD)Xwb|3@N`NF;Ll|3*h5kw_#GiTqRi213!!^8
        """
    ),
    "btree": _unpacked(
        """
        c-rmSFHB|G9S89H?%#9oJ@+2cl9WskPaqJqx#yhwj|720AP@)y0>N&X7QuGdmL@cz2?9Y<1OkCTAP@)y0)aq~ENKu31OkCTk
        md;l0znhf6b9bzZ`kh?GohQ^^PP~#d*?e$@_A(5J->S_%d#5QQ@)m-6+V8`@$eNsz2;dzPJY?6tp8Y+{_fv@|L(Uxyly`~Hp
        $O4F)=YQF)=YQF)=YQF){gRr14_EZd+%<c5cO)u<YB$MdP%woo=K{>3lkwj->->mUg8)y-ixlX>ye8B%8@{vXD$A<H@l&6oW
        ~gbSE9j9lz#h{Fv|ZExy7R`81#4L%ilq-pTLdn|NDniu3p+-ix>6)p#kMi6`UXcp&bHyJ9Q8jV_|oXg}JC)}rNTSuBd#Xet_
        s2BY4nJ94AD@G?9L55nDWJzNRr!s&1{918owW;iV-1q<)l6+35#Y>#cQRW{FN*ccmT8S7!3S*#UY1V_PsFf0beX0R441hc_-
        FcRcJZ_p9A!L@(sANvRXmcQ;V`g8t-KkE02rl|csztd;_jd$gpc!%D$x8W^$^WLO4<_&n6*X42V)@`{=SmM+@a(CQKciCNVr
        `&OO(9PX$x5K@2uAMXI*x7ZqoE2x$X{DFxv@_uhIknStI-Ps_#y+=C>^*ziUbUC(8GF(mwg>DUyURXK57YnsUItd<>ksoXlM
        ml_T8+Q{<^7)@o(#U9|LU9BnfJf@{fBRU=w!5$ecJIqcKZ7tf99{BI{p2hR@$AKc52+IXs5!Rl6FemDQKs_ot$=Z+|jh7aYx
        aP!W~IF5_dA%$zZ3Z&NX(fsdJ5;YwBEM=bAd#*tw?8HFmD4bB&#A>Re;znmX6mxu(uFcCM*&jh!p%Tw&*mI#<}aqRtg|uBdZ
        `oh#~GVdsiESJ=6t&J}j9sB?v#E9zWf=ZZR4*tw+6C3Y^UbBUcx>Re*yk~){zxunh|b}p%NiJeR8Tw>>vI+xhFq|POFE~#^g
        oeSz*VCRB57udO=&INWZsB?jx3+h~8=Yl#H*tww21$Hi|bAg=;>Re#wf;t!2Ij7D!cFw7Dj-7MroMY#lI_KCqr_MQc&Z%>bo
        pb7(W9OVY=h!)?&N+6@sdJ8<HFeh5SyN|?oi%mV*jZC&jh!`h*4SB7XN{dTb=KHfQ)i8xHFeh5SyN|?ofUOf*jZ6$g`E|3R@
        hllXN8>=bynC}QD=pn6?InFSy5+&ofUOf*jZ6$g`FjJme^TRXNjF9b(Yv!QfG;sC3TkASyE?-oh5aa*jZ9%iJc{Nme^TRXZh
        0Ed%DK9e)W8P{bKofy>749c)e<`S9rZ_ua|heXs;J|J#Vk)cwM*GHC|Wkb%obud;KHfgO%kx?+3w$>{pMwef!1!zy192@BP!
        N?S?mG*LF)>ieqsgw#2%)Wi58fj@S;{WXo)UO|fw{$a2=rI@n!s9W07DaTXj0yTMkl5-bMO!9*|=)Il@o4DS6K|J*<E_xx>t
        )nD=_#Hg6@C;ef6!0++9e9OP}F1%B3-`nxlyk&3JoAO4yL9f^A_G-~5T<^}kbkE!ach_BaSKK*w+8uR=+&;JIGWXuOa?YJYX
        V2*rOl&x-&b%|@j5)(j=JYt+v7DBDVISH1_NKjNFW9s8xIJRuq*v+5!+!eH*+!mrryc2Ca-Ezd$H{K8m8>L-$#gQ23?+5aOg
        fW$e#6iC3E$&8e2p*jSw6)__#p4)-Q4AO@nw7#AH=)ydb|?P#nbU<JQVlEJu#21xD{PQN6~(?8LdSN(QGsxjYN6W8+Al(bRA
        xX$KgS^6>fw};e0q5j)enZ7IuaF;ZOTK##`jwJLjGI@c8X-KK_2qeE8EJKh6y3>!0g9{{PWW<_a$_mfD?~c52+IXs5!Rl6Fe
        mDQKs_ot$=Z+|jh7aYxaP!W}xB$?<F^r?Z)t7fa6_O`SD%*3?;JXHA_ocGlEcV`ojBHFnn2Sz~8Soi%pW)LCO^O`SD%*3?;J
        XGNVAc2?9`VP{316?RtCSz%{IofURg)LCI?MV%FPR@7NxXGNVAc2?9`VP{F5C3cq7Sz>2Noh5db)LCL@Nu4Ejmeg5dXGxtUc
        9zsxVrNO6C3cq7Sz_mmI%n89qs|$2&Zu*Soipm3VdsoGXV^KT&KY*jsB?y$GwPfvH1q!H%pP95b~Lkzx0y}6c8zXk7jHAWcx
        ^9aW*cua+dzBHAHNS@Z1(YsoNIik`?yc<Rn~s5Uj8%R@BbY#1Nej0Vhyh)F2s@87n@>DEQnb#E=EKydPT>>9vknS(Yb)n?VY
        #zDqrF=e3B3I0p7#Axb@k+b2Db~eRLI_M~Bf~v=OaF^Pk;2uZN4_TsRSqhIQB%c7`mxVJ&9Pc$k=&n3$OS67$-9B6HsDZO*&
        Bc0bOXhkKjzaIf9>H0R~s=Dgf%_m|Ciy0<w`_u75@pX+(M_Ws}f{&Vv2`M-n}{LRF~#KgqJ#KgqJ#KgqJ<Y$uh{@)`rfQI#t
        !0i7`OiWBnO#c6$(IzG)CMG5(CSNN51t@Z#5d
        """
    ),
    "lmdb": _unpacked(
        """
        c-rlqU5FKB9LC3;?>X}!+fouD;ze{Japs+G30XuUyoiukBqVfoEyS<XVv~qiLL?+Y!bBvxSVBZ3LL@?D=|W-=kqB8t76~sR#
        6&_w#M-l8p7}q=EV3o>`CaVnIX<3w=l8z*Kl9ExyrXF|IFmoeM}9jqPpdKYaQ;N1cb<4sgU4>|*{<2=yTtb3^wt*tuS+9@5J
        Ctcgb+f=qh{Ven*Tri_5PUVVe|jbr?<xR)`IpBLI@#*5JCtc<WbSp_S-ov)l>aSbUHc|?T%iJmPSr=H5>_#go9yUsKPM(H8>
        mOPPcR29<{%+hwS0t4SSjWw0+Y$ZymGtTK(2?>sf0kxMlumo-jW)H<>HUMdlsjqVbKfF8IXQY`kPFG4AP?^i%o)eVe{YUmh$
        B?)YQ=DgQHnx4+tN`k{ZVG1@rV*xT6HSkYMA&>G|3Y45N%==FK2*X`YK&%4Ln{qAP>W%oJPaDR42oG+aBo!6af#;9@B*lTPw
        Rv3$oE8#u;vi_ZZNPky<O;`GS{d(8Au90x+Xs5n+(4)PxYhY&_tKNaZ^;>sr8F*pC_N`j~_Q8p#WG2Q;EHh2aG)1OaL8e*BO
        o^FNW(v#{GLvH_mzfMRnare^No6L%Od>PrxhXw2(Q{LJZldRAbLJY-Q<IqrG*^{KfaIza2~b=Wt;E~Uw60T`+LrCx-kjJ>v7
        y$&6ni<Xw5|0F_HtTk{q+p?a$0DE^$hlMnro__!Cp>fFQ?ecsqEzxdpVW8oMJDhvX@ir<y7`^ioKjRwOzGLf}WE~+gZ<`=cL
        q<dImiwg*H&npywpl*4H!WImxsg^$dDWQn@emoFrn5CFnU(VvHr|If=y>OVD%D6k|-GXH{uwJ%gT=tXc{^D_OM^dRDS(DfF!
        5cvk3H$?>evvr5DmQ|MVKF~$^nR<V}VGw4}0MZd@BIj+PQi_vpjiZK?W=U9&C7(K_i7-KPdjx#aFV)PuRT7P>b#Zs4wT8o7)
        EkpvEJ5lB8321Dq#?=zg)K-P7C160b>RT-V!=Y8(Y6%z&t=d*gz)+Z|Y}0Qg-IEDuhG+#AzC^sgVcAQBb1Zs^aE>J}5zevTC
        BiwDyF@t0VwcFH1?P!yj)g7}&auoT!a3|j>;sFS63(#%D&ZUppc2lp{3+oai=PtCvGgh791EWk&avz%=>wcA;T%hz63(%1)?
        cARK@`qAltbaXLopQ2JCs7<yh9-r&O4Mr;XLl}rY;g4-fBdm!!$(BLU1>6GPg6HT8lfJtaDB@S97BFzcolq{JY*Z{~yx!IOE
        Zo=t#6DS`+0_PjoZ95S|G4hnvGy;q##tUJbqvz6?GH)&|Rh1;H)<qJPpq;P3EX@t69Z|4ZX+W4JNY=x_8k7B%jAm%MMigWhg
        $wb%4Q@49==J?8FnH@Pd_C9dX<JExt)&K`%?U<e_EkSB-sGZVa6J9k%e+Y)eUSczFc1t*4;m<3dDT3Cr$Km{j-m6!!oa7tK-
        SwICRgq4^#RdBLbiL*fvCVZ9PycEt$d<pp);Jg&hOK@Ha=Os8Vh4T`em%@1o&P(CE1m~r2UV`&dI4{9@DV&22VWR-&g>YVg^
        FlZ;a3^vv;Jgsd3vgZt=LI+~g!2NN7s7b~&I{qZ0Oy5pUV!sLIERB3$C`ulTsY6cc`lsi;5--3b8Loe2RP4#^BkP#!g&tPbK
        yJ(=ecm6gY#TC&%t>voWr4rBgw#dCY)#BJQL0{aGnY0892{`^9&m*TMEuI;XDK9nQ)$g^GrC;z<DN|XW%>&&hgT=xaJJb)9U
        {B?^~Z}_Gp)*+tKBS=O%;@LI@#*5JJe~gZ|*z|Lphv&Dpdu`P_Si5JCtcgb+dqA%qY@2>I9WQwl-|A%x5|_Uv!`{y!mv5JCt
        cgb?yL@>k#gpILVA{_=ZW+Njp2_dRs||20nP%y+KYKiI?eaPXnM)-LTH`-XMSI%<7nt+QUVhJppw@8$*bxVg{VX!e>5&D+LL
        #=78ZW54m1vC>#<+||eQllrInmbUf(4|ZJte@Vyn|4%${{eSj4`EU6<>;Ll(0lY&1?-0N{1hi*(hXCFofOiPs9RhfVfdAng0
        =WJ^*Z<d^#P$E(w)uazHWrQX(|<w;A%qY@2qEOLVZr22XLg;xnXMrn{|Q^nuMP
        """
    ),
}
